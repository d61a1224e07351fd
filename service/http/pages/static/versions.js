// Two versions side by side: a picture beside each image that changed.

import { tile } from "./map/data.js";

for (const list of document.querySelectorAll("[data-sheets]")) {
  const { sheets = "{}" } = /** @type {HTMLElement} */ (list).dataset;
  /** @type {import("./map/data.js").Sheets} */
  const from = JSON.parse(sheets);
  for (const one of list.querySelectorAll("li")) {
    one.prepend(tile(from, Number(one.dataset.row), one.dataset.id ?? ""));
  }
}
