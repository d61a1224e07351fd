// The map of a collection: every item a point, what is near one, and a choice that can be taken along.

import { ask, askJson, Problem } from "../api.js";
import { byId, h, put } from "../dom.js";
import { classColor } from "../map/colors.js";
import { View } from "../map/view.js";
import { copy, home, make, nearest, page, thumbnail } from "./items.js";

/**
 * @typedef {import("./items.js").Item} Item
 * @typedef {import("../map/data.js").Plane} Plane
 * @typedef {{layout: string, state: string, sequence: number | null, count: number, classes: string[],
 *   points: {address: string, columns: {name: string, dtype: string, offset: number}[]} | null,
 *   bounds: {left: number, right: number, bottom: number, top: number}, method: string | null,
 *   trustworthiness: number | null, k: number | null, sample: number | null}} About
 */

const ARRAYS = { float64: Float64Array, float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };
const LISTED = 60;
const AT_ONCE = 6;
const ASK_AGAIN_MS = 1500;
const HOVER_MS = 60;
const OPAQUE = 215;

const root = byId("map");
const name = root.dataset.name ?? "";
const status = byId("status");
const hover = byId("hover");
const layout = /** @type {HTMLSelectElement} */ (byId("layout"));
/** @type {Map<number, Promise<Item | undefined>>} */
const items = new Map();
/** @type {View} */
let view;
/** @type {About | null} */
let about = null;
/** @type {Float64Array} */
let rows = new Float64Array(0);
/** @type {Uint8Array | Uint16Array} */
let labels = new Uint8Array(0);
/** @type {Uint8Array} */
let picked = new Uint8Array(0);
/** @type {Promise<string[]> | null} ids of all points, in their order */
let ids = null;
let turn = 0;

/** @param {unknown} error */
const words = (error) => (error instanceof Problem ? error.message : String(error));

/** Load the layout that is chosen, and come back to it while it is being made. */
async function show() {
  const mine = ++turn;
  status.textContent = "Loading …";
  try {
    for (;;) {
      /** @type {About | null} */
      const found = await describe(layout.value);
      if (mine !== turn) return;
      if (!found) continue;
      if (found.points && (found.sequence !== about?.sequence || found.layout !== about.layout)) await draw(found);
      if (found.state !== "computing") {
        say(found);
        return;
      }
      status.textContent = "The layout that keeps neighbors together is being made; it comes when it is ready.";
      if (!about) await draw(await askJson(`${home(name)}/map?layout=principal`));
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  } catch (error) {
    status.textContent = words(error);
  }
}

/**
 * The map in a layout; null where the request took too long: it is being made, and asked for again.
 * @param {string} wanted
 * @returns {Promise<About | null>}
 */
async function describe(wanted) {
  try {
    return await askJson(`${home(name)}/map?layout=${wanted}`);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "deadline_exceeded") throw error;
    status.textContent = "Many items: the map is being made …";
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    return null;
  }
}

/** @param {About} found */
function say(found) {
  status.textContent =
    found.state === "failed" && !found.points
      ? "That layout could not be made."
      : `${found.count.toLocaleString("en")} items; ${found.method}.`;
}

/** @param {About} found */
async function draw(found) {
  if (!found.points) return;
  performance.mark("points-asked");
  const data = await (await ask(found.points.address, { headers: { Accept: "*/*" } })).arrayBuffer();
  performance.mark("points-here");
  /** @type {Record<string, any>} */
  const columns = {};
  for (const { name: column, dtype, offset } of found.points.columns) {
    columns[column] = new ARRAYS[/** @type {keyof typeof ARRAYS} */ (dtype)](data, offset, found.count);
  }
  const same = about !== null && rows.length === found.count && rows.every((row, i) => row === columns.row[i]);
  [about, rows, labels] = [found, columns.row, columns.label];
  if (!same) {
    ids = null;
    items.clear();
    picked = new Uint8Array(found.count);
  }
  const { label } = columns;
  const plane = /** @type {Plane} */ (/** @type {unknown} */ ({ about: found, x: columns.x, y: columns.y, confidence: label, label, prediction: label, unknown: label }));
  view.show(plane, plane);
  view.fit();
  view.color(colored());
  select(picked);
  await view.drawn();
  performance.mark("points-drawn");
  showLegend();
  byId("trust").textContent =
    found.trustworthiness === null
      ? ""
      : `Trustworthiness ${found.trustworthiness.toFixed(3)} (${found.k} neighbors, among ${found.sample?.toLocaleString("en")} items)`;
}

function colored() {
  const made = new Uint8Array(4 * labels.length);
  const count = about?.classes.length ?? 0;
  const table = Array.from({ length: count + 1 }, (_, one) => (one < count ? classColor(one) : [140, 150, 165]));
  for (let i = 0; i < labels.length; i++) {
    const color = table[labels[i]];
    made[4 * i] = color[0];
    made[4 * i + 1] = color[1];
    made[4 * i + 2] = color[2];
    made[4 * i + 3] = OPAQUE;
  }
  return made;
}

function showLegend() {
  const names = about?.classes ?? [];
  put(
    byId("legend"),
    ...names.slice(0, 40).map((one, i) => {
      const dot = h("i", { "aria-hidden": "true" });
      dot.style.background = `rgb(${classColor(i).join(" ")})`;
      return h("li", {}, h("button", { type: "button", title: `Choose ${one}`, onclick: () => select(Uint8Array.from(labels, (label) => (label === i ? 255 : 0))) }, dot, one));
    }),
    names.length > 40 ? h("li", { className: "soft" }, `and ${(names.length - 40).toLocaleString("en")} more`) : null,
  );
}

/**
 * The item of a point.
 * @param {number} point
 */
function itemOf(point) {
  let found = items.get(point);
  if (!found) {
    found = page(name, Math.max(0, rows[point] - 1), 1).then((part) => part.items[0]);
    items.set(point, found);
  }
  return found;
}

function allIds() {
  ids ??= (async () => {
    /** @type {Map<number, string>} */
    const known = new Map();
    let after = /** @type {number | null} */ (-1);
    while (after !== null) {
      /** @type {{rows: number[], ids: string[], next: number | null}} */
      const part = await askJson(`${home(name)}/ids?after=${after}`);
      part.rows.forEach((row, i) => known.set(row, part.ids[i]));
      after = part.next;
    }
    return Array.from(rows, (row) => known.get(row) ?? "");
  })();
  return ids;
}

function chosen() {
  const found = [];
  for (let i = 0; i < picked.length; i++) if (picked[i]) found.push(i);
  return found;
}

/** @param {Uint8Array} bits */
function select(bits) {
  picked = bits;
  view.pick(bits);
  const points = chosen();
  byId("selection").hidden = points.length === 0;
  byId("count").textContent = `${points.length.toLocaleString("en")} chosen${points.length > LISTED ? `, the first ${LISTED} shown` : ""}`;
  void list(points.slice(0, LISTED), byId("chosen"));
}

/**
 * @param {number[]} points
 * @param {HTMLElement} into
 */
async function list(points, into) {
  const places = points.map((point) => h("li", {}, h("button", { type: "button", onclick: () => void open(point) }, h("span", {}, "…"))));
  put(into, ...places);
  let next = 0;
  const work = async () => {
    while (next < points.length) {
      const at = next++;
      const item = await itemOf(points[at]).catch(() => undefined);
      const button = places[at].firstElementChild;
      if (item && button) put(button, thumbnail(item, 48), h("span", {}, item.label ?? "no label", h("small", {}, item.id)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** @param {number} point */
async function open(point) {
  const item = await itemOf(point);
  if (!item) {
    status.textContent = "This item is no longer there.";
    return;
  }
  const near = h("ul", { className: "pictures", "aria-label": "Nearest items" });
  const panel = byId("detail");
  put(panel, h("h2", { tabIndex: -1 }, item.label ?? "no label"), h("p", { className: "who" }, thumbnail(item, 96), h("code", {}, item.id)), h("h3", {}, "Nearest by the stored vectors, not on the plane"), near);
  panel.hidden = false;
  panel.querySelector("h2")?.focus();
  try {
    const found = await nearest(name, item.id, 12);
    put(near, ...found.map((one) => h("li", { className: "listed" }, thumbnail(one, 48), h("span", {}, one.label ?? "no label", h("small", {}, `${one.score?.toFixed(3)} · ${one.id}`)))));
  } catch (error) {
    put(near, h("li", { className: "more" }, words(error)));
  }
}

/** @type {number | undefined} */
let waiting;
/**
 * @param {number} point
 * @param {[number, number]} at
 */
function showHover(point, at) {
  clearTimeout(waiting);
  hover.hidden = point < 0;
  if (point < 0) return;
  const frame = view.canvas.getBoundingClientRect();
  hover.style.left = `${Math.min(innerWidth - 190, frame.left + at[0] + 14) + scrollX}px`;
  hover.style.top = `${frame.top + at[1] + 14 + scrollY}px`;
  if (hover.dataset.point === String(point)) return;
  hover.dataset.point = String(point);
  put(hover, h("span", {}, about?.classes[labels[point]] ?? "no label"));
  waiting = setTimeout(async () => {
    const item = await itemOf(point).catch(() => undefined);
    if (item && hover.dataset.point === String(point)) put(hover, thumbnail(item, 64), h("span", {}, item.label ?? "no label", h("small", {}, item.id)));
  }, HOVER_MS);
}

/** @param {File} file */
async function placeStar(file) {
  status.textContent = "Placing …";
  try {
    const [found, known] = await Promise.all([nearest(name, file, 10), allIds()]);
    const near = new Map(found.map((one) => [one.id, one.score ?? 0]));
    let [x, y, total] = [0, 0, 0];
    const plane = view.from;
    known.forEach((id, point) => {
      const score = near.get(id);
      if (score === undefined || !plane) return;
      const weight = 1 / (1e-3 + Math.max(0, 1 - score));
      x += weight * plane.x[point];
      y += weight * plane.y[point];
      total += weight;
    });
    if (total === 0) throw new Error("Nothing is in the collection yet.");
    view.star = [x / total, y / total];
    view.redraw();
    status.textContent = `${file.name} is the star, among its ${found.length} nearest items.`;
  } catch (error) {
    status.textContent = words(error);
  }
}

async function csv() {
  const known = await allIds();
  const quoted = (/** @type {string} */ text) => `"${text.replaceAll('"', '""')}"`;
  const lines = chosen().map((point) => `${quoted(known[point])},${quoted(about?.classes[labels[point]] ?? "")}`);
  const address = URL.createObjectURL(new Blob([["id,label", ...lines].join("\r\n") + "\r\n"], { type: "text/csv" }));
  h("a", { href: address, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** @param {SubmitEvent} event */
async function keep(event) {
  event.preventDefault();
  const target = /** @type {HTMLInputElement} */ (byId("target")).value;
  const outcome = byId("kept");
  outcome.textContent = "Copying …";
  try {
    const known = await allIds();
    await make(target, { loss: root.dataset.loss, version: Number(root.dataset.version) });
    await copy(name, target, chosen().map((point) => known[point]));
    put(outcome, h("a", { href: home(target) }, `${chosen().length.toLocaleString("en")} items are in ${target}.`));
  } catch (error) {
    outcome.textContent = words(error);
  }
}

function listen() {
  layout.addEventListener("change", () => void show());
  const lasso = /** @type {HTMLInputElement} */ (byId("lasso"));
  lasso.addEventListener("change", () => (view.lassoing = lasso.checked));
  byId("fit").addEventListener("click", () => view.fit());
  byId("clear").addEventListener("click", () => select(new Uint8Array(picked.length)));
  byId("csv").addEventListener("click", () => void csv().catch((error) => (status.textContent = words(error))));
  byId("copy").addEventListener("click", async () => {
    const known = await allIds();
    await navigator.clipboard.writeText(chosen().map((point) => known[point]).join("\n")).then(
      () => (status.textContent = "Copied."),
      () => (status.textContent = "This browser does not let pages copy; take the CSV."),
    );
  });
  byId("keep").addEventListener("submit", (event) => void keep(/** @type {SubmitEvent} */ (event)));
  const file = /** @type {HTMLInputElement} */ (byId("file"));
  file.addEventListener("change", () => file.files?.[0] && void placeStar(file.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const given = event.dataTransfer?.files[0];
    if (given) void placeStar(given);
  });
}

root.hidden = false;
try {
  view = new View(byId("frame"), `Map of ${name}`, { hover: showHover, pick: (point) => point >= 0 && void open(point), lasso: select });
  listen();
  void show();
} catch (error) {
  status.textContent = words(error);
}
