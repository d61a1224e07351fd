// The colors of the points: by class, mistake, confidence or unknown.

/** @typedef {import("./data.js").Plane} Plane */
/** @typedef {"label" | "prediction" | "error" | "confidence" | "unknown"} Coloring */
/** @typedef {[number, number, number]} Rgb */

/** @type {Rgb[]} Paul Tol's muted scheme and three more, for eyes that see colors less well too */
const CLASSES = [
  [51, 102, 187], [102, 187, 221], [17, 119, 51], [190, 160, 40], [220, 95, 115],
  [136, 34, 85], [130, 130, 130], [225, 125, 85], [68, 170, 153], [153, 153, 51],
];
/** @type {Rgb} */
const QUIET = [140, 150, 165];
/** @type {Rgb} */
const LOUD = [205, 45, 45];
const OPAQUE = 215;

/**
 * The color of one class.
 * @param {number} one
 * @returns {Rgb}
 */
export function classColor(one) {
  if (one < CLASSES.length) return CLASSES[one];
  const turn = (one * 137.5) % 360; // the golden angle: neighbors differ
  const part = (/** @type {number} */ shift) => Math.round(140 + 80 * Math.cos(((turn + shift) * Math.PI) / 180));
  return [part(0), part(240), part(120)];
}

/**
 * Four bytes for each point.
 * @param {Plane} plane
 * @param {Coloring} by
 */
export function colors(plane, by) {
  const made = new Uint8Array(4 * plane.about.count);
  for (let i = 0; i < plane.about.count; i++) {
    const [red, green, blue] = color(plane, by, i);
    made[4 * i] = red;
    made[4 * i + 1] = green;
    made[4 * i + 2] = blue;
    made[4 * i + 3] = OPAQUE;
  }
  return made;
}

/**
 * @param {Plane} plane
 * @param {Coloring} by
 * @param {number} i
 * @returns {Rgb}
 */
function color(plane, by, i) {
  if (by === "label") return classColor(plane.label[i]);
  if (by === "prediction") return classColor(plane.prediction[i]);
  if (by === "error") return plane.label[i] === plane.prediction[i] ? QUIET : LOUD;
  if (by === "unknown") return plane.unknown[i] === 1 ? LOUD : QUIET;
  const sure = plane.confidence[i];
  return [Math.round(205 - 160 * sure), Math.round(60 + 50 * sure), Math.round(45 + 150 * sure)];
}

/**
 * What the colors mean, in words.
 * @param {Plane} plane
 * @param {Coloring} by
 * @returns {[string, Rgb][]}
 */
export function legend(plane, by) {
  if (by === "label" || by === "prediction") {
    return plane.about.classes.slice(0, 40).map((name, one) => [name, classColor(one)]);
  }
  if (by === "error") return [["right", QUIET], ["wrong", LOUD]];
  if (by === "unknown") return [["not called unknown", QUIET], ["called unknown", LOUD]];
  return [["unsure", [205, 60, 45]], ["sure", [45, 110, 195]]];
}
