// The picture that was tried last: its place on each loss's plane, for the pages of this tab.

const KEY = "lossatlas-star";

/**
 * @typedef {{version: number, x: number, y: number}} Place
 * @typedef {{name: string, places: Record<string, Place>}} Star
 */

/** @param {Star} star */
export function keepStar(star) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(star));
  } catch {
    // a browser that keeps nothing shows no star on the other page
  }
}

/**
 * The star's place on one model's plane, or null where it has none.
 * @param {{loss: string, version: number}} about
 * @returns {[number, number] | null}
 */
export function keptStar({ loss, version }) {
  const place = readStar()?.places[loss];
  return place?.version === version ? [place.x, place.y] : null;
}

/** @returns {Star | null} */
export function readStar() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}
