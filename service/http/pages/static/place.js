// Where the dropped picture lies: a plane that moves from loss to loss, and its neighbors as a list.

import { askJson } from "./api.js";
import { h, percent, put } from "./dom.js";
import { classColor } from "./map/colors.js";
import { loadPlane, picture } from "./map/data.js";
import { PlaneCanvas } from "./plane.js";
import { keepStar } from "./star.js";

/** @typedef {import("./plane.js").Layer} Layer */
/** @typedef {{id: string, label: string, score: number, point: number}} NearPoint */
/** @typedef {{x: number, y: number, neighbors: NearPoint[]}} Position */
/** @typedef {Layer & {neighbors: NearPoint[]}} Placed */

const MOVE_MS = 600;

/**
 * One loss: its plane, and the picture's place on it.
 * @param {File} file
 * @param {string} loss
 * @returns {Promise<Placed>}
 */
async function layer(file, loss) {
  const plane = await loadPlane(loss);
  const answer = await askJson(`/report/${encodeURIComponent(loss)}/position?version=${plane.about.version}&k=5`, {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type || "application/octet-stream" },
  });
  /** @type {Position} */
  const { x, y, neighbors } = answer.positions[0];
  return { plane, star: [x, y], neighbors };
}

/** @param {Layer[]} layers */
function legend(layers) {
  const { classes } = layers[0].plane.about;
  const entries = classes.slice(0, 40).map((name, one) => {
    const dot = h("i", { "aria-hidden": "true" });
    dot.style.background = `rgb(${classColor(one).join(" ")})`;
    return h("li", {}, dot, name);
  });
  return h("ul", { className: "legend", "aria-label": "Colors" }, ...entries);
}

/**
 * Keep the star for the map, where every loss shows it.
 * @param {string} name
 * @param {Placed[]} layers
 */
function keep(name, layers) {
  const places = layers.map(({ plane, star }) => [plane.about.loss, { version: plane.about.version, x: star?.[0] ?? 0, y: star?.[1] ?? 0 }]);
  keepStar({ name, places: Object.fromEntries(places) });
}

/**
 * @param {PlaneCanvas} view
 * @param {HTMLElement} tip
 */
function hover(view, tip) {
  view.canvas.addEventListener("pointermove", (event) => {
    const box = view.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const point = view.pick(x, y);
    tip.hidden = point < 0;
    if (point < 0) return;
    const { plane } = view.between().one;
    const { classes } = plane.about;
    const [label, said] = [classes[plane.label[point]], classes[plane.prediction[point]]];
    put(tip, picture(plane.about, point, 56), h("span", {}, label === said ? label : `${label}, said ${said}`, h("small", {}, percent(plane.confidence[point], 0))));
    tip.style.left = `${Math.min(x + 14, box.width - 170)}px`;
    tip.style.top = `${Math.min(y + 14, box.height - 70)}px`;
  });
  view.canvas.addEventListener("pointerleave", () => (tip.hidden = true));
}

/** @param {Placed} placed */
function nearest(placed) {
  const { about } = placed.plane;
  return placed.neighbors.map((one) => h("li", {}, picture(about, one.point, 48), h("span", {}, one.label, h("small", {}, one.id))));
}

/**
 * The plane, its slider and the list. The slider's arrow keys move it, too.
 * @param {Placed[]} layers
 */
function build(layers) {
  const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", "aria-label": "The images of the losses as points, and your picture as a star; the list has its nearest ones" }));
  const view = new PlaneCanvas(canvas);
  view.layers = layers;
  const names = layers.map(({ plane }) => plane.about.loss);
  const slider = /** @type {HTMLInputElement} */ (h("input", { type: "range", min: "0", max: String(layers.length - 1), step: "0.02", value: "0", "aria-label": "Move from loss to loss" }));
  const list = h("ol", { className: "near-list" });
  const title = h("h3", { "aria-live": "polite" });
  const show = () => {
    view.at = Number(slider.value);
    const nearer = Math.round(view.at);
    slider.setAttribute("aria-valuetext", names[nearer]);
    if (title.dataset.loss !== names[nearer]) {
      title.dataset.loss = names[nearer];
      title.textContent = `Nearest for ${names[nearer]}`;
      put(list, ...nearest(layers[nearer]));
      buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(i === nearer)));
    }
    requestAnimationFrame(() => view.draw());
  };
  const buttons = names.map((name, i) => h("button", { type: "button", onclick: () => glide(slider, i, show) }, name));
  slider.addEventListener("input", show);
  const tip = h("div", { className: "tip", hidden: true });
  hover(view, tip);
  const column = h("div", {}, h("div", { className: "plane" }, canvas, tip), h("div", { className: "slide" }, h("div", { className: "stops", role: "group", "aria-label": "Losses" }, ...buttons), slider), legend(layers));
  show();
  return h("div", { className: "place" }, column, h("div", { className: "beside" }, title, list));
}

/**
 * Move the slider there in small steps, unless the visitor wants no motion.
 * @param {HTMLInputElement} slider
 * @param {number} goal
 * @param {() => void} show
 */
function glide(slider, goal, show) {
  const from = Number(slider.value);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const started = performance.now();
  const step = (/** @type {number} */ now) => {
    const share = still ? 1 : Math.min(1, Math.max(0, now - started) / MOVE_MS);
    slider.value = String(from + (goal - from) * share);
    show();
    if (share < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

/**
 * A section that shows where the picture lies. It stays empty where no loss has a map.
 * @param {File} file
 * @param {string[]} losses
 * @returns {HTMLElement}
 */
export function place(file, losses) {
  const body = h("div", { "aria-busy": "true" }, h("p", { className: "soft" }, "Placing it …"));
  const section = h("section", { "aria-label": "Where it lies" }, h("h2", {}, "Where it lies"), body);
  void Promise.allSettled(losses.map((loss) => layer(file, loss))).then((found) => {
    const layers = found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (layers.length === 0) {
      section.remove();
      return;
    }
    keep(file.name, layers);
    put(
      body,
      h("p", { className: "soft" }, "Each point is an image of the test set or the gallery; your picture is the star, among its nearest images. Move the slider: the same images under the next loss."),
      build(layers),
      h("p", {}, h("a", { href: "/explore" }, "See it on the large map")),
    );
    body.removeAttribute("aria-busy");
  });
  return section;
}
