// One collection: its items, searched by a picture, labeled, deleted, and put by the folder.

import { ask, askJson, Problem } from "../api.js";
import { byId, h, put } from "../dom.js";
import { home, nearest, page, relabel, remove, thumbnail } from "./items.js";
import { candidates, dropped, upload } from "./upload.js";

/** @typedef {import("./items.js").Item} Item */

const PAGE = 60;

const root = byId("collection");
const name = root.dataset.name ?? "";
const status = byId("status");
const dialog = /** @type {HTMLDialogElement} */ (byId("item"));
/** @type {number[]} where each page begins that was shown so far; the last one is shown now */
let begins = [0];
/** @type {number | null} */
let next = null;
/** @type {AbortController | null} */
let uploading = null;

/** @param {unknown} error */
function words(error) {
  return error instanceof Problem ? error.message : String(error);
}

/**
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>} whether it was done
 */
async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    status.textContent = words(error);
    return false;
  }
}

async function showPage() {
  await attempt(async () => {
    const found = await page(name, begins[begins.length - 1], PAGE);
    if (found.items.length === 0 && begins.length > 1) {
      begins.pop(); // its items were deleted
      return showPage();
    }
    next = found.next;
    put(byId("wall"), ...found.items.map(tile));
    byId("empty").hidden = found.items.length > 0;
    /** @type {HTMLButtonElement} */ (byId("previous")).disabled = begins.length === 1;
    /** @type {HTMLButtonElement} */ (byId("next")).disabled = next === null;
    byId("shown").textContent = found.items.length ? `page ${begins.length}, in the order in which they were put` : "";
  });
}

async function showCount() {
  await attempt(async () => {
    const { items } = await askJson(home(name));
    byId("items").textContent = `${items.toLocaleString("en")} ${items === 1 ? "item" : "items"}`;
  });
}

/**
 * A button that opens an item.
 * @param {Item} item
 */
function tile(item) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", title: item.id, onclick: () => open(item) },
      thumbnail(item),
      item.label === null ? h("b", { className: "none" }, "no label") : h("b", {}, item.label),
      h("small", {}, item.score === undefined ? ending(item.id) : `${item.score.toFixed(3)} · ${ending(item.id)}`),
    ),
  );
}

/**
 * What tells a path from others in little room.
 * @param {string} id
 */
function ending(id) {
  return id.slice(id.lastIndexOf("/") + 1) || id;
}

/** @param {Item} item */
function open(item) {
  byId("item-title").textContent = item.id;
  const label = /** @type {HTMLInputElement} */ (h("input", { value: item.label ?? "", maxLength: 256, autocomplete: "off", "aria-label": "Label" }));
  const facts = Object.entries(item.metadata).flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, String(value))]);
  const form = h(
    "form",
    { onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), void saveLabel(item, label.value)) },
    h("label", {}, "Label ", label),
    h("button", { type: "submit" }, "Save"),
  );
  const picture = thumbnail({ ...item, thumbnail: item.image ?? item.thumbnail }, 224);
  if (picture instanceof HTMLImageElement) picture.alt = item.label ?? item.id;
  put(
    byId("item-body"),
    h(
      "div",
      { className: "item-grid" },
      picture,
      h(
        "div",
        {},
        form,
        facts.length ? h("dl", {}, ...facts) : null,
        h(
          "p",
          { className: "row" },
          h("button", { type: "button", onclick: () => (dialog.close(), void search(item.id, item)) }, "Find similar"),
          h("button", { type: "button", onclick: () => void deleteItem(item) }, "Delete"),
        ),
        h("p", { role: "status", id: "item-status" }),
      ),
    ),
  );
  dialog.showModal();
}

/**
 * @param {Item} item
 * @param {string} label
 */
async function saveLabel(item, label) {
  try {
    await relabel(name, item.id, label.trim() || null);
  } catch (error) {
    byId("item-status").textContent = words(error);
    return;
  }
  dialog.close();
  status.textContent = label.trim() ? `${item.id} is labeled ${label.trim()}.` : `${item.id} has no label.`;
  for (const shown of document.querySelectorAll(".wall button")) {
    if (shown.getAttribute("title") === item.id) shown.parentElement?.replaceWith(tile({ ...item, label: label.trim() || null }));
  }
}

/** @param {Item} item */
async function deleteItem(item) {
  try {
    await remove(name, item.id);
  } catch (error) {
    byId("item-status").textContent = words(error);
    return;
  }
  dialog.close();
  status.textContent = `${item.id} is deleted.`;
  for (const shown of document.querySelectorAll(".wall button")) {
    if (shown.getAttribute("title") === item.id) shown.parentElement?.remove();
  }
  await showCount();
  if (!byId("wall").children.length) await showPage();
}

/**
 * @param {Blob | string} what
 * @param {Item | null} [item]
 */
async function search(what, item = null) {
  status.textContent = "Searching …";
  await attempt(async () => {
    const found = await nearest(name, what);
    put(byId("found"), ...found.map(tile));
    const shown = typeof what === "string" ? item && thumbnail(item, 48) : h("img", { src: URL.createObjectURL(what), alt: "The picture that was searched for" });
    put(byId("query-picture"), shown);
    byId("results").hidden = false;
    byId("all").hidden = true;
    status.textContent = found.length ? `${found.length} nearest items; a higher score is nearer.` : "Nothing is in it yet.";
    byId("results").scrollIntoView({ block: "nearest" });
  });
}

/** @param {{path: string, file: File}[]} files */
async function add(files) {
  if (uploading) return;
  const { chosen, others } = candidates(files, /** @type {HTMLInputElement} */ (byId("by-folder")).checked);
  const bar = /** @type {HTMLProgressElement} */ (byId("progress"));
  byId("upload").hidden = false;
  byId("failures").hidden = true;
  put(byId("failed"));
  if (chosen.length === 0) {
    byId("upload-status").textContent = `No picture is among ${files.length.toLocaleString("en")} files.`;
    return;
  }
  uploading = new AbortController();
  byId("cancel").hidden = false;
  bar.max = chosen.length;
  bar.value = 0;
  byId("upload-status").textContent = `0 of ${chosen.length.toLocaleString("en")}`;
  const done = await upload(name, chosen, uploading.signal, (progress) => {
    bar.value = progress.done;
    byId("upload-status").textContent = `${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")}`;
    showFailed(progress.failed);
  });
  const stopped = uploading.signal.aborted ? "Canceled. " : "";
  const left = others ? ` Left out: ${others.toLocaleString("en")} not pictures.` : "";
  byId("upload-status").textContent = `${stopped}${done.stored.toLocaleString("en")} of ${done.total.toLocaleString("en")} stored.${left}`;
  byId("cancel").hidden = true;
  uploading = null;
  begins = [0];
  await Promise.all([showCount(), showPage()]);
}

/** @param {{id: string, reason: string}[]} failed */
function showFailed(failed) {
  byId("failures").hidden = failed.length === 0;
  byId("failures-title").textContent = `${failed.length.toLocaleString("en")} could not be stored`;
  const list = byId("failed");
  for (const { id, reason } of failed.slice(list.children.length)) list.append(h("li", {}, h("b", {}, id), ` ${reason}`));
}

/**
 * Make a zone take what is dropped on it.
 * @param {string} id
 * @param {(given: DataTransfer) => void} take
 */
function zone(id, take) {
  const place = byId(id);
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer) take(event.dataTransfer);
  });
}

/**
 * @param {string} id
 * @param {(files: File[]) => void} take
 */
function takeFiles(id, take) {
  const input = /** @type {HTMLInputElement} */ (byId(id));
  input.addEventListener("change", () => {
    if (input.files?.length) take([...input.files]);
    input.value = "";
  });
}

function listen() {
  const asPaths = (/** @type {File[]} */ files) => files.map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  zone("add-zone", (given) => void dropped(given).then(add));
  zone("search-zone", (given) => given.files[0] && void search(given.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => event.preventDefault()); // beside a zone: nothing
  document.addEventListener("paste", (event) => event.clipboardData?.files[0] && void search(event.clipboardData.files[0]));
  takeFiles("folder", (files) => void add(asPaths(files)));
  takeFiles("pictures", (files) => void add(asPaths(files)));
  takeFiles("query", (files) => void search(files[0]));
  byId("cancel").addEventListener("click", () => uploading?.abort());
  byId("next").addEventListener("click", () => {
    if (next !== null) begins.push(next);
    void showPage();
  });
  byId("previous").addEventListener("click", () => {
    if (begins.length > 1) begins.pop();
    void showPage();
  });
  byId("close-results").addEventListener("click", () => {
    byId("results").hidden = true;
    byId("all").hidden = false;
    status.textContent = "";
  });
  byId("delete-all").addEventListener("submit", (event) => {
    event.preventDefault();
    if (/** @type {HTMLInputElement} */ (byId("confirm")).value !== name) {
      status.textContent = "The name is another one; nothing is deleted.";
      return;
    }
    void attempt(() => ask(home(name), { method: "DELETE" })).then((done) => done && location.assign("/collections"));
  });
}

root.hidden = false;
listen();
void showPage();
