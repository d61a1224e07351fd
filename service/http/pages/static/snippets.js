// The request that was just made, for a terminal and for programs.

import { h } from "./dom.js";

const QUERY = "/compare?k=5&top_k=3";

/**
 * A text in single quotes of a POSIX shell.
 * @param {string} text
 */
function shell(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * The same request in each language.
 * @param {string} name of the file
 * @param {string} type
 * @returns {[string, string][]}
 */
export function snippets(name, type) {
  const address = location.origin + QUERY;
  const file = JSON.stringify(name);
  const media = JSON.stringify(type);
  return [
    ["curl", `curl --data-binary ${shell(`@${name}`)} -H ${shell(`Content-Type: ${type}`)} ${shell(address)}`],
    [
      "Python",
      `import httpx\n\nwith open(${file}, "rb") as file:\n    answer = httpx.post(\n        "${address}",\n` +
        `        content=file.read(),\n        headers={"Content-Type": ${media}},\n    )\nprint(answer.json()["images"][0]["agreement"])`,
    ],
    [
      "JavaScript",
      `import { readFile } from "node:fs/promises";\n\nconst answer = await fetch("${address}", {\n  method: "POST",\n` +
        `  body: await readFile(${file}),\n  headers: { "Content-Type": ${media} },\n});\nconsole.log((await answer.json()).images[0].agreement);`,
    ],
  ];
}

/**
 * The snippets, each with a button that copies it.
 * @param {string} name
 * @param {string} type
 */
export function copyable(name, type) {
  const said = h("span", { role: "status", className: "soft" });
  const shown = h("pre", { tabIndex: 0, "aria-label": "The request as code", hidden: true });
  const buttons = snippets(name, type).map(([language, code]) =>
    h("button", { type: "button", onclick: () => copy(code, shown, said) }, `Copy as ${language}`),
  );
  return h("div", { className: "snippets" }, h("p", {}, ...buttons, said), shown);
}

/**
 * @param {string} code
 * @param {HTMLElement} shown
 * @param {HTMLElement} said
 */
async function copy(code, shown, said) {
  shown.hidden = false;
  shown.textContent = code;
  try {
    await navigator.clipboard.writeText(code); // only where the page is secure
    said.textContent = "Copied.";
  } catch {
    getSelection()?.selectAllChildren(shown);
    said.textContent = "Selected: press Ctrl+C.";
  }
}
