// Small helpers for building the pages' elements. Text is always text, never HTML.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make an element. Properties with a dash, and `role`, `for`, become attributes.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on") && typeof value === "function") {
      made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (name in made && !name.includes("-")) {
      Reflect.set(made, name, value);
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, String(value));
    }
  }
  put(made, ...children);
  return made;
}

/**
 * Replace what is in an element.
 * @param {Element} parent
 * @param {...Child} children
 */
export function put(parent, ...children) {
  const kept = /** @type {(Node | string)[]} */ (
    children
      .filter((one) => one !== null && one !== undefined && one !== false)
      .map((one) => (one instanceof Node ? one : String(one)))
  );
  parent.replaceChildren(...kept);
}

/**
 * The element of this id. Throws where the page has none.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * A share of 0..1 in percent.
 * @param {number} share
 * @param {number} [digits]
 */
export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)}\u202f%`;
}

/**
 * A bar of a share, for the eye alone: the number stands beside it.
 * @param {number} share
 */
export function bar(share) {
  const cut = Math.max(0, Math.min(100, Math.round(100 * share)));
  return h("span", { className: `meter v-${cut}`, "aria-hidden": "true" }, h("i"));
}
