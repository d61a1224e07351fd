// The map of the images under two losses, with linked selection, and a list beside the pictures.

import { ask, askJson, Problem } from "./api.js";
import { home, make } from "./collection/items.js";
import { upload } from "./collection/upload.js";
import { byId, h, percent, put } from "./dom.js";
import { colors, legend } from "./map/colors.js";
import { loadPlane, picture } from "./map/data.js";
import { View } from "./map/view.js";
import { keptStar, readStar } from "./star.js";

/** @typedef {import("./map/data.js").Plane} Plane */
/** @typedef {import("./map/colors.js").Coloring} Coloring */
/** @typedef {import("./api.js").Near} Near */

const MOST_LISTED = 120;
const SIDES = /** @type {const} */ (["left", "right"]);

const losses = SIDES.map((side) => /** @type {HTMLSelectElement} */ (byId(side)));
const coloring = /** @type {HTMLSelectElement} */ (byId("coloring"));
const slider = /** @type {HTMLInputElement} */ (byId("way"));
const lasso = /** @type {HTMLInputElement} */ (byId("lasso"));
const status = byId("status");
const hover = byId("hover");

/** @type {Map<string, Promise<Plane>>} */
const loaded = new Map();
/** @type {View[]} */
let views = [];
/** @type {Plane[]} */
let planes = [];
/** @type {Uint8Array} */
let picked = new Uint8Array(0);

/** The loss and the version of the address: the one is on the left, the other is that of both where they have it. */
const asked = new URLSearchParams(location.search);
const askedVersion = Number(asked.get("version")) || null;

function chooseAsked() {
  const loss = asked.get("loss");
  const [left, right] = losses;
  if (!loss || ![...left.options].some((one) => one.value === loss)) return;
  if (right.value === loss) right.value = left.value;
  left.value = loss;
}

/** @param {string} loss */
function plane(loss) {
  let found = loaded.get(loss);
  if (!found) {
    found = askedVersion === null ? loadPlane(loss) : loadPlane(loss, askedVersion).catch(() => loadPlane(loss));
    loaded.set(loss, found);
  }
  return found;
}

/** Load the two losses that are chosen, and draw them. */
async function show() {
  status.textContent = "Loading …";
  try {
    planes = await Promise.all(losses.map((one) => plane(one.value)));
  } catch (error) {
    status.textContent = error instanceof Problem ? error.message : String(error);
    return;
  }
  const same = planes[0].about.images_sha256 === planes[1].about.images_sha256;
  slider.disabled = !same;
  if (!same) slider.value = "0";
  if (picked.length !== planes[0].about.count) picked = new Uint8Array(planes[0].about.count);
  performance.mark("points-here");
  drawAll(same);
  await Promise.all(views.map((view) => view.drawn()));
  performance.mark("points-drawn");
  const star = readStar();
  status.textContent = `${planes[0].about.count.toLocaleString("en")} images${askedVersion ? `, version ${planes[0].about.version}` : ""}.${star ? ` ${star.name} is the star.` : ""}`;
}

/** @param {boolean} same */
function drawAll(same) {
  views.forEach((view, i) => {
    const mine = planes[i];
    view.show(mine, same ? planes[1 - i] : mine);
    view.way = Number(slider.value);
    view.star = keptStar(mine.about);
    const { trustworthiness, continuity, k } = mine.about;
    byId(`${SIDES[i]}-trust`).textContent =
      `Trustworthiness ${trustworthiness.toFixed(3)}, continuity ${continuity.toFixed(3)} (${k} neighbors)`;
  });
  recolor();
  select(picked);
}

function recolor() {
  const by = /** @type {Coloring} */ (coloring.value);
  views.forEach((view, i) => view.color(colors(planes[i], by)));
  put(
    byId("legend"),
    ...legend(planes[0], by).map(([name, [red, green, blue]]) => {
      const dot = h("i", { "aria-hidden": "true" });
      dot.style.background = `rgb(${red} ${green} ${blue})`;
      return h("li", {}, dot, name);
    }),
  );
}

/** @param {Uint8Array} bits */
function select(bits) {
  picked = bits;
  views.forEach((view, i) => view.pick(planes[i].about.count === bits.length ? bits : new Uint8Array(planes[i].about.count)));
  const points = chosen();
  byId("selection").hidden = points.length === 0;
  byId("count").textContent = `${points.length.toLocaleString("en")} chosen${points.length > MOST_LISTED ? `, the first ${MOST_LISTED} shown` : ""}`;
  put(byId("chosen"), ...points.slice(0, MOST_LISTED).map((point) => h("li", {}, entry(point))));
}

function chosen() {
  const found = [];
  for (let point = 0; point < picked.length; point++) if (picked[point]) found.push(point);
  return found;
}

/**
 * A button that opens a point.
 * @param {number} point
 */
function entry(point) {
  return h("button", { type: "button", onclick: () => open(point) }, picture(planes[0].about, point), h("span", {}, words(planes[0], point)));
}

/**
 * @param {Plane} of
 * @param {number} point
 */
function words(of, point) {
  const { classes } = of.about;
  const [label, said] = [classes[of.label[point]], classes[of.prediction[point]]];
  return `${label === said ? label : `${label}, said ${said}`} ${percent(of.confidence[point], 0)}`;
}

/**
 * What each loss says of a point, and what is near it in the embedding.
 * @param {number} point
 */
async function open(point) {
  const first = planes[0];
  const panel = byId("detail");
  const near = SIDES.map((_, i) => h("ol", { className: "near", "aria-label": `Nearest for ${planes[i].about.loss}` }));
  const said = h("tbody");
  put(
    panel,
    h("h2", { tabIndex: -1 }, first.about.classes[first.label[point]]),
    h("p", { className: "who" }, picture(first.about, point, 96), h("code", {}, first.about.ids[point])),
    h("table", { className: "full" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Loss"), h("th", { scope: "col", className: "text" }, "Says"), h("th", { scope: "col" }, "Sure"))), said),
    ...SIDES.flatMap((_, i) => [h("h3", {}, `Nearest for ${planes[i].about.loss}, in the embedding`), near[i]]),
  );
  panel.hidden = false;
  panel.querySelector("h2")?.focus();
  await Promise.all([sayAll(point, said), ...near.map((list, i) => showNear(planes[i], point, list))]);
}

/**
 * @param {number} point
 * @param {HTMLElement} body
 */
async function sayAll(point, body) {
  const names = [...losses[0].options].map((one) => one.value);
  const all = await Promise.allSettled(names.map(plane));
  const rows = all.flatMap((one) =>
    one.status === "fulfilled" && one.value.about.images_sha256 === planes[0].about.images_sha256 ? [one.value] : [],
  );
  put(
    body,
    ...rows.map((one) => {
      const wrong = one.prediction[point] !== one.label[point];
      const doubt = one.unknown[point] === 1 ? ", unknown" : "";
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, one.about.loss),
        h("td", { className: wrong ? "text more" : "text" }, one.about.classes[one.prediction[point]] + doubt),
        h("td", {}, percent(one.confidence[point])),
      );
    }),
  );
}

/**
 * @param {Plane} of
 * @param {number} point
 * @param {HTMLElement} list
 */
async function showNear(of, point, list) {
  const { loss, version, ids, tests } = of.about;
  const address = `/neighbors?loss=${encodeURIComponent(loss)}&version=${version}&k=6`;
  try {
    const body = point < tests ? await asFile(of, point) : JSON.stringify({ ids: [ids[point]] });
    const type = point < tests ? "image/png" : "application/json";
    const answer = await askJson(address, { method: "POST", body, headers: { "Content-Type": type } });
    /** @type {Near[]} */
    const found = answer.neighbors[0];
    put(
      list,
      ...found.map((one) => {
        const text = `${one.label}, ${one.id}`;
        return h("li", {}, one.thumbnail ? h("img", { src: one.thumbnail, alt: text, title: text, width: 48, height: 48 }) : text);
      }),
    );
  } catch (error) {
    put(list, h("li", { className: "more" }, error instanceof Problem ? error.message : String(error)));
  }
}

/**
 * A test image as it is on its sheet, which is what the neighbors are asked for with.
 * @param {Plane} of
 * @param {number} point
 * @returns {Promise<Blob>}
 */
async function asFile(of, point) {
  const { sheets } = of.about;
  const px = sheets.tile_px;
  const place = point % (sheets.columns * sheets.rows);
  const image = new Image();
  image.src = sheets.addresses[Math.floor(point / (sheets.columns * sheets.rows))];
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = px;
  canvas.getContext("2d")?.drawImage(image, (place % sheets.columns) * px, Math.floor(place / sheets.columns) * px, px, px, 0, 0, px, px);
  return new Promise((resolve, reject) => canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("no picture")))));
}

/** The images that every loss takes for one class that is not their label. */
async function listMislabeled() {
  const loss = losses[0].value;
  try {
    const found = await askJson(`/report/${encodeURIComponent(loss)}/mislabeled?limit=${MOST_LISTED}`);
    const of = await plane(loss);
    byId("suspects-count").textContent = `${found.total} images that all ${found.asked.length} losses take for one class that is not their label; those that all ${found.votes} published versions speak against most come first.`;
    put(
      byId("suspects"),
      ...found.images.map((/** @type {{row: number, label: string, prediction: string}} */ one) =>
        h("li", {}, h("button", { type: "button", onclick: () => open(one.row) }, picture(of.about, one.row), h("span", {}, `labeled ${one.label}, all say ${one.prediction}`))),
      ),
    );
  } catch (error) {
    byId("suspects-count").textContent = error instanceof Problem ? error.message : String(error);
  }
}

/** @param {File} file */
async function placeStar(file) {
  status.textContent = "Placing …";
  try {
    await Promise.all(
      views.map(async (view, i) => {
        const { loss, version } = planes[i].about;
        const found = await askJson(`/report/${encodeURIComponent(loss)}/position?version=${version}`, {
          method: "POST",
          body: file,
          headers: { "Content-Type": file.type || "application/octet-stream" },
        });
        view.star = [found.positions[0].x, found.positions[0].y];
        view.redraw();
      }),
    );
    status.textContent = `${file.name} is the star.`;
  } catch (error) {
    status.textContent = error instanceof Problem ? error.message : String(error);
  }
}

/**
 * Put the chosen pictures, as they are on their sheets, into a collection of the left loss.
 * @param {SubmitEvent} event
 */
async function keep(event) {
  event.preventDefault();
  const [of] = planes;
  const target = /** @type {HTMLInputElement} */ (byId("target")).value;
  const outcome = byId("kept");
  const points = chosen();
  outcome.textContent = `0 of ${points.length.toLocaleString("en")}`;
  try {
    await make(target, { loss: of.about.loss, version: of.about.version });
    const files = await Promise.all(points.map((point) => asCandidate(of, point)));
    const done = await upload(target, files, new AbortController().signal, (progress) => {
      outcome.textContent = `${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")}`;
    });
    const failed = done.failed.length ? `; ${done.failed.length} could not be stored: ${done.failed[0].reason}` : "";
    put(outcome, h("a", { href: home(target) }, `${done.stored.toLocaleString("en")} images are in ${target}`), failed);
  } catch (error) {
    outcome.textContent = error instanceof Problem ? error.message : String(error);
  }
}

/**
 * @param {Plane} of
 * @param {number} point
 */
async function asCandidate(of, point) {
  const { ids, tests, thumbnails, classes } = of.about;
  const blob = point < tests ? await asFile(of, point) : await (await ask((thumbnails ?? "").replace("{row}", String(point - tests)), { headers: { Accept: "*/*" } })).blob();
  return { id: ids[point], label: classes[of.label[point]], file: new File([blob], ids[point]) };
}

function csv() {
  const [one] = planes;
  const quoted = (/** @type {string} */ text) => `"${text.replaceAll('"', '""')}"`;
  const rows = chosen().map((point) =>
    [one.about.ids[point], one.about.classes[one.label[point]], one.about.classes[one.prediction[point]]].map(quoted).concat(one.confidence[point].toFixed(4)).join(","),
  );
  return ["id,label,prediction,confidence", ...rows].join("\r\n") + "\r\n";
}

/**
 * @param {number} side
 * @param {number} point
 * @param {[number, number]} at
 */
function showHover(side, point, at) {
  hover.hidden = point < 0;
  if (point < 0) return;
  const mine = planes[side];
  const frame = views[side].canvas.getBoundingClientRect();
  hover.style.left = `${Math.min(innerWidth - 190, frame.left + at[0] + 14) + scrollX}px`;
  hover.style.top = `${frame.top + at[1] + 14 + scrollY}px`;
  if (hover.dataset.point === `${side} ${point}`) return;
  hover.dataset.point = `${side} ${point}`;
  put(hover, picture(mine.about, point, 64), h("span", {}, words(mine, point), mine.unknown[point] === 1 ? ", unknown" : ""));
}

function listen() {
  losses.forEach((one) => one.addEventListener("change", () => void show()));
  coloring.addEventListener("change", recolor);
  slider.addEventListener("input", () =>
    views.forEach((view) => {
      view.way = Number(slider.value);
      view.redraw();
    }),
  );
  lasso.addEventListener("change", () => views.forEach((view) => (view.lassoing = lasso.checked)));
  byId("wrong").addEventListener("click", () => select(Uint8Array.from(planes[0].label, (one, i) => (one === planes[0].prediction[i] ? 0 : 255))));
  byId("clear").addEventListener("click", () => select(new Uint8Array(picked.length)));
  byId("fit").addEventListener("click", () => views.forEach((view) => view.fit()));
  byId("copy").addEventListener("click", async () => {
    const text = chosen().map((point) => planes[0].about.ids[point]).join("\n");
    await navigator.clipboard.writeText(text).then(() => (status.textContent = "Copied."), () => (status.textContent = "This browser does not let pages copy; take the CSV."));
  });
  byId("csv").addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    h("a", { href: address, download: "lossatlas.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
  byId("keep").addEventListener("submit", (event) => void keep(/** @type {SubmitEvent} */ (event)));
  const file = /** @type {HTMLInputElement} */ (byId("file"));
  file.addEventListener("change", () => file.files?.[0] && void placeStar(file.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const dropped = event.dataTransfer?.files[0];
    if (dropped) void placeStar(dropped);
  });
}

function start() {
  chooseAsked();
  byId("map").hidden = false;
  try {
    views = SIDES.map((side, i) =>
      new View(byId(`${side}-map`), `Map of the ${side} loss`, {
        hover: (point, at) => showHover(i, point, at),
        pick: (point) => point >= 0 && void open(point),
        lasso: select,
      }),
    );
  } catch (error) {
    byId("maps").textContent = error instanceof Error ? error.message : String(error);
  }
  listen();
  void show().then(listMislabeled);
}

start();
