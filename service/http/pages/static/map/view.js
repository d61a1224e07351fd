// One map on a canvas: pan, zoom, hover, click and lasso.

import { h } from "../dom.js";
import { Renderer } from "./renderer.js";

/** @typedef {import("./data.js").Plane} Plane */
/** @typedef {[number, number]} Place */

const REACH_PX = 9; // how far the pointer may be from a point
const SETTLED_MS = 160; // after the last movement all points are drawn
const MOVED_PX = 4; // a press that moves less is a click

/** A canvas with its overlay. What happens on it is given to the handlers. */
export class View {
  /**
   * @param {HTMLElement} parent
   * @param {string} name
   * @param {{hover: (point: number, at: Place) => void, pick: (point: number) => void,
   *   lasso: (points: Uint8Array) => void}} handlers
   */
  constructor(parent, name, handlers) {
    this.canvas = /** @type {HTMLCanvasElement} */ (
      h("canvas", { tabIndex: 0, role: "application", "aria-label": `${name}: arrow keys move it, + and - zoom; the list has the same images` })
    );
    this.overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.overlay.setAttribute("aria-hidden", "true");
    parent.append(this.canvas, this.overlay);
    this.renderer = new Renderer(this.canvas);
    this.handlers = handlers;
    /** @type {Plane | null} */
    this.from = null;
    /** @type {Plane | null} */
    this.to = null;
    this.way = 0;
    this.camera = { x: 0, y: 0, zoom: 1 };
    this.lassoing = false;
    /** @type {Place | null} */
    this.star = null;
    this.some = false;
    this.waiting = false;
    this.moving = false;
    /** @type {number | undefined} */
    this.settling = undefined;
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
    this.listen();
  }

  /**
   * Show a plane, and the one that its points can move to.
   * @param {Plane} from
   * @param {Plane} to
   */
  show(from, to) {
    const first = this.from === null;
    this.from = from;
    this.to = to;
    this.renderer.place(from, to);
    this.renderer.write("picked", new Uint8Array(from.about.count));
    if (first) this.fit();
  }

  /** See all of it. */
  fit() {
    if (!this.from) return;
    const { left, right, bottom, top } = this.from.about.bounds;
    const [wide, high] = [Math.max(right - left, 1e-9), Math.max(top - bottom, 1e-9)];
    const zoom = 0.92 * Math.min(this.canvas.clientWidth / wide, this.canvas.clientHeight / high);
    this.camera = { x: (left + right) / 2, y: (bottom + top) / 2, zoom };
    this.redraw();
  }

  /** @param {Uint8Array} values */
  color(values) {
    this.renderer.write("color", values);
    this.redraw();
  }

  /** @param {Uint8Array} bits 255 where a point is picked */
  pick(bits) {
    this.some = bits.includes(255);
    this.renderer.write("picked", bits);
    this.redraw();
  }

  /**
   * Draw with the next frame: all points, or as many as stay fluid while something moves.
   * @param {boolean} [moving]
   */
  redraw(moving = false) {
    this.moving = moving;
    if (moving) {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.redraw(), SETTLED_MS);
    }
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (!this.from) return;
      this.renderer.draw(this.camera, this.way, this.some, this.moving);
      this.drawStar();
    });
  }

  /** Wait until what is drawn now is on the screen. */
  drawn() {
    return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  }

  drawStar() {
    this.overlay.querySelector(".star")?.remove();
    if (!this.star) return;
    const [x, y] = this.screen(this.star);
    const star = document.createElementNS("http://www.w3.org/2000/svg", "text");
    star.setAttribute("class", "star");
    star.setAttribute("x", String(x));
    star.setAttribute("y", String(y));
    star.textContent = "★";
    this.overlay.append(star);
  }

  /**
   * Where a point is now, in pixels from the top left.
   * @param {Place} place
   * @returns {Place}
   */
  screen([x, y]) {
    const { camera, canvas } = this;
    return [(x - camera.x) * camera.zoom + canvas.clientWidth / 2, canvas.clientHeight / 2 - (y - camera.y) * camera.zoom];
  }

  /**
   * Where a pixel is on the plane.
   * @param {Place} at
   * @returns {Place}
   */
  plane([left, top]) {
    const { camera, canvas } = this;
    return [camera.x + (left - canvas.clientWidth / 2) / camera.zoom, camera.y - (top - canvas.clientHeight / 2) / camera.zoom];
  }

  /**
   * The point nearest to a pixel, or -1.
   * @param {Place} at
   */
  nearest(at) {
    const { from, to, way } = this;
    if (!from || !to) return -1;
    const [x, y] = this.plane(at);
    let [best, least] = [-1, (REACH_PX / this.camera.zoom) ** 2];
    for (let i = 0; i < from.about.count; i++) {
      const dx = from.x[i] + way * (to.x[i] - from.x[i]) - x;
      const dy = from.y[i] + way * (to.y[i] - from.y[i]) - y;
      const far = dx * dx + dy * dy;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  /**
   * 255 for each point inside a line that is drawn around them.
   * @param {Place[]} line
   */
  inside(line) {
    const { from, to, way } = this;
    if (!from || !to) return new Uint8Array(0);
    const border = line.map((at) => this.plane(at));
    const found = new Uint8Array(from.about.count);
    for (let i = 0; i < found.length; i++) {
      const x = from.x[i] + way * (to.x[i] - from.x[i]);
      const y = from.y[i] + way * (to.y[i] - from.y[i]);
      if (isInside(border, x, y)) found[i] = 255;
    }
    return found;
  }

  /**
   * @param {number} times
   * @param {Place} at
   */
  zoom(times, at) {
    const before = this.plane(at);
    this.camera.zoom *= times;
    const after = this.plane(at);
    this.camera.x += before[0] - after[0];
    this.camera.y += before[1] - after[1];
    this.redraw(true);
  }

  listen() {
    const { canvas } = this;
    /** @type {Place[]} */
    let line = [];
    /** @type {Map<number, Place>} */
    const held = new Map();
    const at = (/** @type {MouseEvent} */ event) => /** @type {Place} */ ([event.offsetX, event.offsetY]);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      held.set(event.pointerId, at(event));
      line = [at(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return this.handlers.hover(this.nearest(at(event)), at(event));
      const now = at(event);
      line.push(now);
      if (held.size === 2) this.pinch(held, event.pointerId, now);
      else if (this.lassoing || event.shiftKey) this.drawLine(line);
      else this.move(now[0] - before[0], now[1] - before[1]);
      held.set(event.pointerId, now);
    });
    canvas.addEventListener("pointerup", (event) => {
      held.delete(event.pointerId);
      this.drawLine([]);
      const [start, end] = [line[0], at(event)];
      if (!start || held.size > 0) return;
      if (line.every((one) => Math.hypot(one[0] - start[0], one[1] - start[1]) < MOVED_PX)) this.handlers.pick(this.nearest(end));
      else if (this.lassoing || event.shiftKey) this.handlers.lasso(this.inside(line));
      line = [];
    });
    canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.handlers.hover(-1, [0, 0]));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {Map<number, Place>} held
   * @param {number} moved
   * @param {Place} now
   */
  pinch(held, moved, now) {
    const other = [...held].find(([id]) => id !== moved)?.[1];
    const before = held.get(moved);
    if (!other || !before) return;
    const span = (/** @type {Place} */ one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
    this.zoom(span(now) / Math.max(1, span(before)), other);
  }

  /**
   * @param {number} right
   * @param {number} down
   */
  move(right, down) {
    this.camera.x -= right / this.camera.zoom;
    this.camera.y += down / this.camera.zoom;
    this.redraw(true);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    /** @type {Record<string, Place>} */
    const ways = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    /** @type {Place} */
    const middle = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    if (event.key in ways) this.move(...ways[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.25, middle);
    else if (event.key === "-") this.zoom(0.8, middle);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  /** @param {Place[]} line */
  drawLine(line) {
    this.overlay.querySelector("polygon")?.remove();
    if (line.length < 2) return;
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
    drawn.setAttribute("points", line.map((one) => one.join(",")).join(" "));
    this.overlay.append(drawn);
  }
}

/**
 * Whether a place is inside a closed line (even-odd rule).
 * @param {Place[]} border
 * @param {number} x
 * @param {number} y
 */
function isInside(border, x, y) {
  let inside = false;
  for (let i = 0, j = border.length - 1; i < border.length; j = i++) {
    const [ax, ay] = border[i];
    const [bx, by] = border[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
