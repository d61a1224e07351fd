// Cells of the confusion matrix and the most frequent mistakes open: the images, most confident first.

import { askJson, Problem } from "./api.js";
import { byId, h, percent, put } from "./dom.js";
import { tile } from "./map/data.js";

/**
 * @typedef {{loss: string, label: string, probability: number}} Said
 * @typedef {{row: number, id: string, label: string, prediction: string, probability: number,
 *   probably_mislabeled: boolean, opinions: Said[]}} Listed
 * @typedef {{total: number, asked: string[], sheets: import("./map/data.js").Sheets, images: Listed[]}} Listing
 */

const { loss, version } = byId("confusions").dataset;

/**
 * @param {string} label
 * @param {string} predicted
 * @param {number} limit
 * @returns {Promise<Listing>}
 */
function listing(label, predicted, limit) {
  const cell = [label, predicted].map(encodeURIComponent).join("/");
  return askJson(`/report/${loss}/confusions/${cell}?version=${version}&limit=${limit}`);
}

/**
 * @param {string} label
 * @param {string} predicted
 */
async function open(label, predicted) {
  const panel = byId("cell");
  const title = h("h3", { tabIndex: -1 }, `Shows ${label}, said ${predicted}`);
  const said = h("p", { className: "soft", role: "status" }, "Loading …");
  const list = h("ul", { className: "pictures" });
  put(panel, title, said, list);
  panel.hidden = false;
  title.focus();
  try {
    const found = await listing(label, predicted, 200);
    const suspects = found.images.filter((one) => one.probably_mislabeled).length;
    const doubt = suspects ? `; of those shown ${suspects} probably mislabeled: all ${found.asked.length} losses say ${predicted}` : "";
    said.textContent = `${found.total} images, the most confident first${doubt}.`;
    put(list, ...found.images.map((one) => h("li", { className: one.probably_mislabeled ? "suspect" : "" }, shown(found, one))));
  } catch (error) {
    said.textContent = error instanceof Problem ? error.message : String(error);
  }
}

/**
 * @param {Listing} found
 * @param {Listed} one
 */
function shown(found, one) {
  const others = one.opinions.map((said) => `${said.loss}: ${said.label} ${percent(said.probability, 0)}`);
  return h(
    "div",
    { className: "listed" },
    tile(found.sheets, one.row, one.id, 64),
    h("span", {}, one.probably_mislabeled ? h("b", {}, "Probably mislabeled. ") : null, percent(one.probability), h("small", {}, others.join(", "))),
  );
}

/** @param {HTMLElement} cell */
function makeButton(cell) {
  const { true: label = "", predicted = "" } = cell.dataset;
  const name = `${cell.textContent?.trim()}: images of ${label} that were said to be ${predicted}`;
  const button = h("button", { type: "button", "aria-label": name, onclick: () => void open(label, predicted) });
  button.append(...cell.childNodes);
  cell.append(button);
}

/** @param {HTMLElement} cell */
async function showPictures(cell) {
  const { true: label = "", predicted = "" } = cell.dataset;
  const found = await listing(label, predicted, 6).catch(() => null);
  if (found?.images.length) put(cell, ...found.images.map((one) => tile(found.sheets, one.row, one.id, 40)), " ", h("button", { type: "button", onclick: () => void open(label, predicted) }, `All of ${label} → ${predicted}`));
}

async function start() {
  const map = await askJson(`/report/${loss}/map?version=${version}`).catch(() => null);
  if (!map) return; // published without a map: the page stays as it is
  for (const cell of document.querySelectorAll("td[data-true]")) {
    if (cell.classList.contains("ids")) await showPictures(/** @type {HTMLElement} */ (cell));
    else makeButton(/** @type {HTMLElement} */ (cell));
  }
}

void start();
