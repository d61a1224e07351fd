// What the losses say of one picture: whether they agree, and a card for each.

import { bar, h, percent } from "./dom.js";

/** @typedef {import("./api.js").Compared} Compared */
/** @typedef {import("./api.js").Opinion} Opinion */

/**
 * Whether they agree, in one sentence.
 * @param {Compared} said
 */
export function verdict(said) {
  const { label, losses, of, unknown } = said.agreement;
  const votes =
    losses === of ? `All ${of} say ${label}` : `They disagree: ${losses} of ${of} say ${label}`;
  const unsure = unknown ? `; ${unknown} of ${of} call it unknown` : "";
  return `${votes}${unsure}.`;
}

/**
 * A card of one loss.
 * @param {Opinion} opinion
 * @param {string} majority
 */
export function card(opinion, majority) {
  const apart = opinion.label !== majority;
  return h(
    "article",
    { className: apart ? "card apart" : "card" },
    h("h2", {}, h("a", { href: `/report/${opinion.loss}` }, opinion.loss)),
    h("p", { className: "said" }, opinion.label),
    h(
      "ul",
      { className: "top" },
      ...opinion.top.map((one) =>
        h("li", {}, h("span", {}, one.label), h("span", {}, percent(one.probability)), bar(one.probability)),
      ),
    ),
    h("p", { className: opinion.unknown ? "doubt more" : "doubt soft" }, doubt(opinion)),
    nearest(opinion),
  );
}

/** @param {Opinion} opinion */
function doubt(opinion) {
  if (opinion.unknown === null) {
    return "It has no measured rule for unknown pictures, so it names a class whatever you send.";
  }
  return opinion.unknown
    ? "Unknown: it looks like none of the classes, by the rule in its report."
    : "Not unknown: it lies among the pictures of the classes, by the rule in its report.";
}

/** @param {Opinion} opinion */
function nearest(opinion) {
  return h(
    "ol",
    { className: "near", "aria-label": "Nearest training images" },
    ...opinion.neighbors.map((one) => {
      const text = `${one.label}, ${one.id}`;
      const shown = one.thumbnail
        ? h("img", { src: one.thumbnail, alt: text, title: text, width: 40, height: 40, loading: "lazy" })
        : h("code", {}, one.id);
      return h("li", {}, shown);
    }),
  );
}
