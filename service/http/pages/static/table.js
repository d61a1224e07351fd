// Several pictures: a table, its cards on demand, and the same as CSV.

import { card, verdict } from "./cards.js";
import { h, percent, put } from "./dom.js";

/** @typedef {import("./api.js").Compared} Compared */
/** @typedef {{file: File, said?: Compared, error?: string}} Row */

/**
 * @param {File} file
 * @param {string} alt
 */
export function preview(file, alt) {
  const address = URL.createObjectURL(file);
  const free = () => URL.revokeObjectURL(address);
  const shown = h("img", { src: address, alt, onload: free, onerror: () => (free(), shown.classList.add("missing")) });
  return shown;
}

/** @param {Row[]} rows */
function asCsv(rows) {
  const losses = rows.find((row) => row.said)?.said?.opinions.map((one) => one.loss) ?? [];
  // A cell that begins with one of these is a formula to a spreadsheet.
  const quoted = (/** @type {string | number} */ cell) => `"${String(cell).replace(/^[=+\-@]/, "'$&").replaceAll('"', '""')}"`;
  const head = ["file", "label", "losses", "of", ...losses.flatMap((loss) => [loss, `${loss}_probability`, `${loss}_unknown`]), "error"];
  const lines = rows.map(({ file, said, error }) => {
    if (!said) return [file.name, "", "", "", ...losses.flatMap(() => ["", "", ""]), error ?? ""];
    const opinions = said.opinions.flatMap((one) => [one.label, one.probability.toFixed(4), String(one.unknown ?? "")]);
    return [file.name, said.agreement.label, said.agreement.losses, said.agreement.of, ...opinions, ""];
  });
  return `${[head, ...lines].map((cells) => cells.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/** @param {Row[]} rows */
function csvButtons(rows) {
  const said = h("span", { role: "status", className: "soft" });
  const copy = async () => {
    const ok = await navigator.clipboard?.writeText(asCsv(rows)).then(() => true, () => false);
    said.textContent = ok ? "Copied." : "This browser does not let the page copy; save it.";
  };
  const save = () => {
    const address = URL.createObjectURL(new Blob([asCsv(rows)], { type: "text/csv" }));
    h("a", { href: address, download: "lossatlas.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  return h("p", { className: "csv" }, h("button", { type: "button", onclick: () => void copy() }, "Copy as CSV"), h("button", { type: "button", onclick: save }, "Save as CSV"), said);
}

/**
 * @param {Row} row
 * @param {number} width
 * @param {() => void} open
 */
function line({ file, said, error }, width, open) {
  const name = said ? h("button", { type: "button", className: "plain", onclick: open, title: "Show its cards" }, file.name) : file.name;
  const first = h("th", { scope: "row" }, h("span", { className: "named" }, preview(file, ""), name));
  if (!said) return h("tr", {}, first, h("td", { className: "text more why", colSpan: width + 1 }, error));
  const { label, losses, of, unknown } = said.agreement;
  const cells = said.opinions.map((one) =>
    h("td", { className: one.label === label ? "" : "more" }, one.label, h("small", {}, percent(one.probability), one.unknown ? ", unknown" : "")),
  );
  return h("tr", {}, first, h("td", {}, label, h("small", {}, `${losses} of ${of}`, unknown ? `, unknown to ${unknown}` : "")), ...cells);
}

/**
 * The table. Up and down arrows go from picture to picture.
 * @param {Row[]} rows
 */
export function table(rows) {
  const losses = rows.find((row) => row.said)?.said?.opinions.map((one) => one.loss) ?? [];
  const panel = h("section", { "aria-label": "One picture of the table", hidden: true });
  const open = (/** @type {Row} */ { file, said }) => {
    if (!said) return;
    const title = h("h2", { tabIndex: -1 }, file.name);
    put(panel, title, h("p", { className: "status" }, verdict(said)), h("div", { className: "cards" }, ...said.opinions.map((one) => card(one, said.agreement.label))));
    panel.hidden = false;
    title.focus();
  };
  const head = ["Picture", "Agreement", ...losses].map((name) => h("th", { scope: "col" }, name));
  const body = h("tbody", {}, ...rows.map((row) => line(row, losses.length, () => open(row))));
  body.addEventListener("keydown", (event) => {
    const buttons = [...body.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
    const next = buttons[buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement)) + step];
    if (!step || !next) return;
    event.preventDefault();
    next.focus();
  });
  const whole = h("table", { className: "full sticky answers" }, h("thead", {}, h("tr", {}, ...head)), body);
  return h("div", {}, csvButtons(rows), h("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": "Answers" }, whole), panel);
}
