// The items of a collection: addresses, pictures, and what can be done with one.

import { ask, askJson } from "../api.js";
import { h } from "../dom.js";

/**
 * @typedef {{id: string, label: string | null, thumbnail: string | null, image?: string | null,
 *   metadata: Record<string, unknown>, score?: number}} Item
 * @typedef {{items: Item[], next: number | null}} Page
 */

const JSON_BODY = { "Content-Type": "application/json" };

/** @param {string} name */
export function home(name) {
  return `/collections/${encodeURIComponent(name)}`;
}

/**
 * @param {string} name
 * @param {number} after
 * @param {number} limit
 * @returns {Promise<Page>}
 */
export function page(name, after, limit) {
  return askJson(`${home(name)}/items?after=${after}&limit=${limit}`);
}

/**
 * @param {string} name
 * @param {string} id
 */
export function remove(name, id) {
  return ask(`${home(name)}/item?id=${encodeURIComponent(id)}`, { method: "DELETE" });
}

/**
 * @param {string} name
 * @param {string} id
 * @param {string | null} label
 */
export function relabel(name, id, label) {
  return ask(`${home(name)}/label?id=${encodeURIComponent(id)}`, { method: "PUT", body: JSON.stringify({ label }), headers: JSON_BODY });
}

/**
 * The nearest items of a picture, or of an item.
 * @param {string} name
 * @param {Blob | string} what
 * @param {number} [k]
 * @returns {Promise<Item[]>}
 */
export async function nearest(name, what, k = 24) {
  const address = `/neighbors?collection=${encodeURIComponent(name)}&k=${k}`;
  const init =
    typeof what === "string"
      ? { method: "POST", body: JSON.stringify({ ids: [what] }), headers: JSON_BODY }
      : { method: "POST", body: what, headers: { "Content-Type": what.type || "application/octet-stream" } };
  return (await askJson(address, init)).neighbors[0];
}

/**
 * Make a collection of a model's vectors.
 * @param {string} name
 * @param {{loss?: string, version?: number}} [of]
 */
export function make(name, of = {}) {
  return askJson(home(name), { method: "PUT", body: JSON.stringify(of), headers: JSON_BODY });
}

/**
 * Copy items into another collection, in parts.
 * @param {string} source
 * @param {string} target
 * @param {string[]} ids
 */
export async function copy(source, target, ids) {
  for (let first = 0; first < ids.length; first += 500) {
    const body = JSON.stringify({ source, ids: ids.slice(first, first + 500) });
    await ask(`${home(target)}/copy`, { method: "POST", body, headers: JSON_BODY });
  }
}

/**
 * The picture of an item, or a tile with its first letters where it has none.
 * @param {Item} item
 * @param {number} [size]
 */
export function thumbnail(item, size = 96) {
  if (!item.thumbnail) return h("span", { className: "no-picture", "aria-hidden": "true" }, item.id.slice(0, 3));
  return h("img", { src: item.thumbnail, alt: "", width: size, height: size, loading: "lazy", decoding: "async" });
}
