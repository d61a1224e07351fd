// /docs: a form to try each route, built when it is opened.

import { h, put } from "./dom.js";

const LONGEST = 40_000; // characters of an answer that are shown
const FILES = /^(image\/|application\/octet-stream|multipart\/)/;

/**
 * The address with its parameters. Throws where one that the path needs is empty.
 * @param {HTMLElement} operation
 */
function address(operation) {
  let path = operation.dataset.path ?? "";
  const query = new URLSearchParams();
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (operation.querySelectorAll("[data-name]"))) {
    const { name = "" } = input.dataset;
    const value = input.value.trim();
    if (input.dataset.in === "path") {
      if (!value) {
        input.focus();
        throw new Error(`${name} is missing.`);
      }
      path = path.replace(`{${name}}`, encodeURIComponent(value));
    } else if (value) query.append(name, value);
  }
  return path + (query.size ? `?${query}` : "");
}

/**
 * What is sent: a file, several as a form, or the JSON.
 * @param {HTMLElement} operation
 * @returns {{body?: BodyInit, headers: Record<string, string>, said: string}}
 */
function sent(operation) {
  const files = [...(/** @type {HTMLInputElement | null} */ (operation.querySelector("input[type=file]"))?.files ?? [])];
  const text = /** @type {HTMLTextAreaElement | null} */ (operation.querySelector("textarea"))?.value.trim();
  if (files.length === 1) {
    const type = files[0].type || "application/octet-stream";
    return { body: files[0], headers: { "Content-Type": type }, said: ` --data-binary '@${files[0].name}' -H 'Content-Type: ${type}'` };
  }
  if (files.length > 1) {
    const form = new FormData();
    for (const file of files) form.append("image", file);
    return { body: form, headers: {}, said: files.map((file) => ` -F 'image=@${file.name}'`).join("") };
  }
  if (!text) return { headers: {}, said: "" };
  const form = operation.dataset.sent?.includes("x-www-form-urlencoded");
  const type = form ? "application/x-www-form-urlencoded" : "application/json";
  return { body: text, headers: { "Content-Type": type }, said: ` -H 'Content-Type: ${type}' -d '${text.replaceAll("'", `'\\''`)}'` };
}

/**
 * @param {Response} answer
 * @returns {Promise<Node>}
 */
async function shown(answer) {
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("image/")) {
    const source = URL.createObjectURL(await answer.blob());
    return h("img", { src: source, alt: "The answer", onload: () => URL.revokeObjectURL(source) });
  }
  if (type === "application/octet-stream") return h("p", {}, `${(await answer.arrayBuffer()).byteLength} bytes`);
  let text = await answer.text();
  if (type.includes("json")) text = JSON.stringify(JSON.parse(text), null, 1);
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} characters more` : text;
  return h("pre", { tabIndex: 0, role: "region", "aria-label": "The answer" }, cut);
}

/**
 * @param {HTMLElement} operation
 * @param {HTMLElement} output
 */
async function send(operation, output) {
  const { method = "GET" } = operation.dataset;
  try {
    const path = address(operation);
    if (method === "DELETE" && !confirm(`DELETE ${path}: this cannot be undone. Go on?`)) return;
    const { body, headers, said } = sent(operation);
    const way = method === "GET" || (method === "POST" && body) ? "" : ` -X ${method}`;
    const command = h("pre", { tabIndex: 0, role: "region", "aria-label": "As a command" }, `curl${way} '${location.origin}${path}'${said}`);
    put(output, command, h("p", {}, "Waiting …"));
    const started = performance.now();
    const answer = await fetch(path, { method, body, headers: { Accept: "application/json, */*;q=0.5", ...headers } });
    const body_ = await shown(answer);
    const line = `${answer.status} ${answer.statusText} · ${(performance.now() - started).toFixed(0)} ms · ${answer.headers.get("content-type") ?? "no body"}`;
    put(output, command, h("p", { className: answer.ok ? "less" : "more" }, line), body_);
  } catch (error) {
    put(output, h("p", { className: "more" }, error instanceof Error ? error.message : String(error)));
  }
}

/** @param {HTMLElement} operation */
function prepare(operation) {
  const place = operation.querySelector(".try");
  if (!place || place.childElementCount > 0) return;
  const output = h("output");
  const files = operation.dataset.sent?.split(" ").some((one) => FILES.test(one));
  const form = h(
    "form",
    {
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void send(operation, output);
      },
    },
    files ? h("label", {}, "Files ", h("input", { type: "file", multiple: true })) : null,
    h("button", { type: "submit", className: "primary" }, "Send"),
  );
  put(place, h("h3", {}, "Try it"), form, output);
  for (const one of /** @type {NodeListOf<HTMLElement>} */ (operation.querySelectorAll(".ask"))) one.hidden = false;
}

/** Open what the address points to, so that it can be seen. */
function follow() {
  const found = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  if (found instanceof HTMLDetailsElement) {
    found.open = true;
    found.scrollIntoView();
  }
}

for (const one of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll(".operation"))) {
  one.addEventListener("toggle", () => one.open && prepare(one));
}
addEventListener("hashchange", follow);
follow();
