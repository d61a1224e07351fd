// The demonstration: pictures in, what every loss says out.

import { compare, Problem } from "./api.js";
import { card, verdict } from "./cards.js";
import { byId, h, put } from "./dom.js";
import { place } from "./place.js";
import { copyable } from "./snippets.js";
import { preview as picture, table } from "./table.js";

/** @typedef {import("./table.js").Row} Row */

const AT_ONCE = 2; // requests in flight, so that others are served too

const drop = byId("drop");
const status = byId("status");
const results = byId("results");
const preview = byId("preview");
let turn = 0; // a newer choice makes older answers void

/** @param {File[]} files */
async function show(files) {
  if (files.length === 0) {
    status.textContent = "There is no file in it. Choose a picture in JPEG, PNG, WebP, GIF, BMP or AVIF.";
    return;
  }
  const mine = ++turn;
  results.setAttribute("aria-busy", "true");
  put(results);
  put(preview);
  status.textContent = files.length === 1 ? "Asking …" : `0 of ${files.length}`;
  /** @type {Row[]} */
  const rows = files.map((file) => ({ file }));
  if (files.length === 1) put(preview, picture(files[0], "The chosen picture"));
  await answerAll(rows, mine);
  if (mine !== turn) return;
  results.setAttribute("aria-busy", "false");
  if (rows.length === 1) showOne(rows[0]);
  else showTable(rows);
}

/**
 * @param {Row[]} rows
 * @param {number} mine
 */
async function answerAll(rows, mine) {
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < rows.length && mine === turn) {
      const row = rows[next++];
      try {
        row.said = await compare(row.file);
      } catch (error) {
        row.error = error instanceof Problem ? error.message : String(error);
      }
      done += 1;
      if (rows.length > 1 && mine === turn) status.textContent = `${done} of ${rows.length}`;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** @param {Row} row */
function showOne({ file, said, error }) {
  if (!said) {
    status.textContent = `${file.name}: ${error}`;
    return;
  }
  status.textContent = verdict(said);
  put(
    results,
    h(
      "div",
      { className: "cards" },
      ...said.opinions.map((one) => card(one, said.agreement.label)),
    ),
    copyable(file.name, file.type || "application/octet-stream"),
    place(file, said.opinions.map((one) => one.loss)),
  );
}

/** @param {Row[]} rows */
function showTable(rows) {
  const failed = rows.filter((row) => row.error).length;
  status.textContent = `${rows.length - failed} of ${rows.length} answered${failed ? `, ${failed} refused` : ""}.`;
  put(results, table(rows));
}

/** @param {HTMLElement} button */
async function showSample(button) {
  const answer = await fetch(button.dataset.sample ?? "");
  const data = await answer.blob();
  await show([new File([data], button.dataset.name ?? "sample", { type: data.type })]);
}

/** @param {DataTransfer | null} given */
function filesOf(given) {
  return given ? [...given.files] : [];
}

function listen() {
  for (const id of ["files", "camera"]) {
    const input = /** @type {HTMLInputElement} */ (byId(id));
    input.addEventListener("change", () => {
      const chosen = [...(input.files ?? [])];
      input.value = ""; // the same file again is a change too
      if (chosen.length > 0) void show(chosen);
    });
  }
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => void showSample(/** @type {HTMLElement} */ (button)));
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    void show(filesOf(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const pasted = filesOf(event.clipboardData);
    if (pasted.length > 0) void show(pasted);
  });
  drop.addEventListener("submit", (event) => event.preventDefault());
}

listen();
byId("demo").hidden = false;
