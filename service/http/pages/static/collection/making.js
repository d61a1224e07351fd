// A new collection, from the list of all.

import { Problem } from "../api.js";
import { byId } from "../dom.js";
import { home, make } from "./items.js";

byId("making").hidden = false;
byId("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = /** @type {HTMLInputElement} */ (byId("new-name")).value;
  const loss = /** @type {HTMLSelectElement} */ (byId("new-loss")).value;
  make(name, { loss }).then(
    () => location.assign(home(name)),
    (error) => (byId("new-status").textContent = error instanceof Problem ? error.message : String(error)),
  );
});
