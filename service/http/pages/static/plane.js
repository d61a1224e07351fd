// One plane of points on a canvas, between two losses, with a star: enough for 20,000 points.

import { classColor } from "./map/colors.js";

/** @typedef {import("./map/data.js").Plane} Plane */
/** @typedef {{plane: Plane, star: [number, number] | null}} Layer */

const DOT = 2.2;
const REACH_PX = 12;

export class PlaneCanvas {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    /** @type {Layer[]} */
    this.layers = [];
    this.at = 0; // which layer, and how far to the next
    this.scale = 1;
    this.offset = [0, 0];
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** The two layers between which the plane is, and the share of the second. */
  between() {
    const low = Math.min(this.layers.length - 1, Math.floor(this.at));
    const high = Math.min(this.layers.length - 1, low + 1);
    const [one, other] = [this.layers[low], this.layers[high]];
    const alike = one.plane.about.images_sha256 === other.plane.about.images_sha256;
    const share = this.at - low;
    if (alike) return { one, other, share };
    const near = share < 0.5 ? one : other;
    return { one: near, other: near, share: 0 };
  }

  fit() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const all = this.layers.map((layer) => layer.plane.about.bounds);
    const left = Math.min(...all.map((one) => one.left));
    const right = Math.max(...all.map((one) => one.right));
    const bottom = Math.min(...all.map((one) => one.bottom));
    const top = Math.max(...all.map((one) => one.top));
    this.scale = 0.94 * Math.min(width / (right - left || 1), height / (top - bottom || 1));
    this.offset = [width / 2 - (this.scale * (left + right)) / 2, height / 2 + (this.scale * (bottom + top)) / 2];
    return { width, height };
  }

  draw() {
    const paper = this.canvas.getContext("2d");
    if (!paper || this.layers.length === 0) return;
    const { width, height } = this.fit();
    const density = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    paper.scale(density, density);
    const { one, other, share } = this.between();
    this.drawPoints(paper, one.plane, other.plane, share);
    if (one.star && other.star) this.drawStar(paper, one.star, other.star, share);
  }

  /**
   * @param {CanvasRenderingContext2D} paper
   * @param {Plane} one
   * @param {Plane} other
   * @param {number} share
   */
  drawPoints(paper, one, other, share) {
    const { count, classes } = one.about;
    paper.globalAlpha = 0.75;
    for (let kind = 0; kind < classes.length; kind++) {
      const [red, green, blue] = classColor(kind);
      paper.fillStyle = `rgb(${red} ${green} ${blue})`;
      for (let i = 0; i < count; i++) {
        if (one.label[i] !== kind) continue;
        const [x, y] = this.screen(one, other, share, i);
        paper.fillRect(x - DOT / 2, y - DOT / 2, DOT, DOT);
      }
    }
    paper.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} paper
   * @param {[number, number]} one
   * @param {[number, number]} other
   * @param {number} share
   */
  drawStar(paper, one, other, share) {
    const x = this.offset[0] + this.scale * (one[0] + share * (other[0] - one[0]));
    const y = this.offset[1] - this.scale * (one[1] + share * (other[1] - one[1]));
    paper.font = "30px system-ui, sans-serif";
    paper.textAlign = "center";
    paper.textBaseline = "middle";
    paper.lineWidth = 5;
    paper.lineJoin = "round";
    paper.strokeStyle = "#fff";
    paper.fillStyle = "#d9480f";
    paper.strokeText("★", x, y);
    paper.lineWidth = 1.5;
    paper.fillText("★", x, y);
    paper.strokeStyle = "#1b1f24";
    paper.strokeText("★", x, y);
  }

  /**
   * @param {Plane} one
   * @param {Plane} other
   * @param {number} share
   * @param {number} i
   * @returns {[number, number]}
   */
  screen(one, other, share, i) {
    const x = one.x[i] + share * (other.x[i] - one.x[i]);
    const y = one.y[i] + share * (other.y[i] - one.y[i]);
    return [this.offset[0] + this.scale * x, this.offset[1] - this.scale * y];
  }

  /**
   * The point below the pointer; -1 where none is near.
   * @param {number} x
   * @param {number} y
   */
  pick(x, y) {
    if (this.layers.length === 0) return -1;
    const { one, other, share } = this.between();
    let [best, nearest] = [-1, REACH_PX ** 2];
    for (let i = 0; i < one.plane.about.count; i++) {
      const at = this.screen(one.plane, other.plane, share, i);
      const away = (at[0] - x) ** 2 + (at[1] - y) ** 2;
      if (away < nearest) [best, nearest] = [i, away];
    }
    return best;
  }
}
