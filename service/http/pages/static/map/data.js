// A model's map: its points as typed arrays over one buffer, and its pictures.

import { ask, askJson } from "../api.js";
import { h } from "../dom.js";

/**
 * @typedef {{addresses: string[], tile_px: number, columns: number, rows: number}} Sheets
 * @typedef {{name: string, dtype: "float32" | "uint16" | "uint8", offset: number}} Column
 * @typedef {{loss: string, version: number, count: number, tests: number, classes: string[],
 *   points: {address: string, columns: Column[]},
 *   bounds: {left: number, right: number, bottom: number, top: number},
 *   trustworthiness: number, continuity: number, k: number, images_sha256: string,
 *   unknown: boolean, sheets: Sheets, thumbnails: string | null, ids: string[]}} Description
 * @typedef {Float32Array | Uint16Array | Uint8Array} Numbers
 * @typedef {{about: Description, x: Numbers, y: Numbers, confidence: Numbers, label: Numbers,
 *   prediction: Numbers, unknown: Numbers}} Plane
 */

const ARRAYS = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };
const THUMBNAIL_PX = 48;

/**
 * The map of one model. Throws Problem where it has none.
 * @param {string} loss
 * @param {number | null} [version]
 * @returns {Promise<Plane>}
 */
export async function loadPlane(loss, version = null) {
  const query = version === null ? "" : `?version=${version}`;
  /** @type {Description} */
  const about = await askJson(`/report/${encodeURIComponent(loss)}/map${query}`);
  const data = await (await ask(about.points.address, { headers: { Accept: "*/*" } })).arrayBuffer();
  /** @type {Record<string, Numbers>} */
  const columns = {};
  for (const { name, dtype, offset } of about.points.columns) {
    columns[name] = new ARRAYS[dtype](data, offset, about.count);
  }
  const { x, y, confidence, label, prediction, unknown } = columns;
  return { about, x, y, confidence, label, prediction, unknown };
}

/** @type {Map<string, Promise<HTMLImageElement>>} */
const sheets = new Map();

/** @param {string} address */
function sheet(address) {
  let found = sheets.get(address);
  if (!found) {
    found = new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error(address));
      image.src = address;
    });
    sheets.set(address, found);
  }
  return found;
}

/**
 * The picture of one test image, cut from its sheet.
 * @param {Sheets} from
 * @param {number} row
 * @param {string} text
 * @param {number} [size]
 * @returns {HTMLCanvasElement}
 */
export function tile(from, row, text, size = THUMBNAIL_PX) {
  const made = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", "aria-label": text, title: text, className: "tile" }));
  made.width = made.height = size;
  const perSheet = from.columns * from.rows;
  const place = row % perSheet;
  const px = from.tile_px;
  sheet(from.addresses[Math.floor(row / perSheet)])
    .then((image) => {
      const [left, top] = [(place % from.columns) * px, Math.floor(place / from.columns) * px];
      made.getContext("2d")?.drawImage(image, left, top, px, px, 0, 0, size, size);
    })
    .catch(() => made.classList.add("missing"));
  return made;
}

/**
 * The picture of a point: of a test image or of the gallery.
 * @param {Description} about
 * @param {number} point
 * @param {number} [size]
 * @returns {HTMLElement}
 */
export function picture(about, point, size = THUMBNAIL_PX) {
  const text = about.ids[point];
  if (point < about.tests) return tile(about.sheets, point, text, size);
  if (!about.thumbnails) return h("code", {}, text);
  const src = about.thumbnails.replace("{row}", String(point - about.tests));
  return h("img", { src, alt: text, title: text, width: size, height: size });
}
