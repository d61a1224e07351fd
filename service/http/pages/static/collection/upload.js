// Files into a collection: in batches, each file with its own outcome.

import { askJson, Problem } from "../api.js";

/**
 * @typedef {{id: string, label: string | null, file: File}} Candidate
 * @typedef {{done: number, stored: number, failed: {id: string, reason: string}[], total: number}} Progress
 */

const MOST_IMAGES = 24; // in a batch
const MOST_BYTES = 6 * 2 ** 20;
const TRIES = 5; // of a batch that the service cannot take now
const PAUSE_MS = 1000;

/**
 * Put images into a collection, and go on after whatever fails.
 * @param {string} collection
 * @param {Candidate[]} files
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} report
 * @returns {Promise<Progress>}
 */
export async function upload(collection, files, signal, report) {
  /** @type {Progress} */
  const progress = { done: 0, stored: 0, failed: [], total: files.length };
  for (const batch of batches(files)) {
    if (signal.aborted) break;
    await put(collection, batch, signal, progress, report);
  }
  return progress;
}

/** @param {Candidate[]} files */
function* batches(files) {
  /** @type {Candidate[]} */
  let batch = [];
  let bytes = 0;
  for (const one of files) {
    if (batch.length && (batch.length === MOST_IMAGES || bytes + one.file.size > MOST_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(one);
    bytes += one.file.size;
  }
  if (batch.length) yield batch;
}

/**
 * Put a batch; without the files that are refused, or in halves, where it is not taken as it is.
 * @param {string} collection
 * @param {Candidate[]} batch
 * @param {AbortSignal} signal
 * @param {Progress} progress
 * @param {(progress: Progress) => void} report
 * @returns {Promise<void>}
 */
async function put(collection, batch, signal, progress, report) {
  if (batch.length === 0 || signal.aborted) return;
  const again = (/** @type {Candidate[]} */ some) => put(collection, some, signal, progress, report);
  /** @param {Candidate[]} some @param {(i: number) => string} reason */
  const fail = (some, reason) => {
    progress.failed.push(...some.map((one, i) => ({ id: one.id, reason: reason(i) })));
    progress.done += some.length;
    report(progress);
  };
  try {
    await send(collection, batch, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) return fail(batch, () => "The file cannot be read.");
    const bad = /** @type {number[]} */ (error.facts.indexes ?? []);
    if (bad.length > 0) {
      const reasons = reasonsOf(error.message, bad);
      fail(bad.map((i) => batch[i]), (i) => reasons[i]);
      return again(batch.filter((_, i) => !bad.includes(i)));
    }
    if (batch.length === 1 || isOfAll(error)) return fail(batch, () => error.message);
    const middle = Math.ceil(batch.length / 2);
    await again(batch.slice(0, middle));
    return again(batch.slice(middle));
  }
  progress.stored += batch.length;
  progress.done += batch.length;
  report(progress);
}

/**
 * Whether the refusal is not about what is in the batch, so that halves would meet it too.
 * @param {Problem} error
 */
function isOfAll({ status }) {
  return status === 0 || status >= 500 || [401, 403, 404, 409].includes(status);
}

/**
 * The reason of each file, out of a sentence such as "image 0: damaged; image 3: no image".
 * @param {string} detail
 * @param {number[]} indexes
 */
function reasonsOf(detail, indexes) {
  const parts = detail.split(/(?:^|; )(?:image|item) (\d+): /);
  const found = new Map();
  for (let i = 1; i + 1 < parts.length; i += 2) found.set(Number(parts[i]), parts[i + 1]);
  return indexes.map((one) => found.get(one) ?? detail);
}

/**
 * @param {string} collection
 * @param {Candidate[]} batch
 * @param {AbortSignal} signal
 */
async function send(collection, batch, signal) {
  const items = await Promise.all(
    batch.map(async ({ id, label, file }) => ({ id, label, image: await base64(file) })),
  );
  const body = JSON.stringify({ items });
  for (let trial = 1; ; trial++) {
    try {
      const address = `/collections/${encodeURIComponent(collection)}/items`;
      return await askJson(address, { method: "POST", body, signal, headers: { "Content-Type": "application/json" } });
    } catch (error) {
      const passing = error instanceof Problem && (error.status === 0 || error.status === 429 || error.status === 503);
      if (!passing || trial === TRIES) throw error;
      const wait = 1000 * (error.facts.retry_after_s ?? 0) || PAUSE_MS * trial;
      await new Promise((resolve) => setTimeout(resolve, wait));
      signal.throwIfAborted();
    }
  }
}

/**
 * @param {Blob} file
 * @returns {Promise<string>}
 */
function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

const PICTURES = /\.(jpe?g|png|webp|gif|bmp|avif|heic|heif|tiff?)$/i;

/**
 * The pictures among files, with ids that are their paths, and perhaps labels by folder.
 * @param {{path: string, file: File}[]} files
 * @param {boolean} byFolder
 * @returns {{chosen: Candidate[], others: number}}
 */
export function candidates(files, byFolder) {
  const chosen = files.filter(({ path, file }) => file.type.startsWith("image/") || PICTURES.test(path));
  const named = chosen.map(({ path, file }) => {
    const parts = path.split("/").filter(Boolean);
    return { id: parts.join("/"), label: byFolder && parts.length > 1 ? parts[parts.length - 2] : null, file };
  });
  named.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { chosen: named, others: files.length - chosen.length };
}

/**
 * All files of what was dropped, folders included.
 * @param {DataTransfer} given
 * @returns {Promise<{path: string, file: File}[]>}
 */
export async function dropped(given) {
  const entries = [...given.items].map((one) => one.webkitGetAsEntry?.()).filter((one) => one !== null && one !== undefined);
  if (entries.length === 0) return [...given.files].map((file) => ({ path: file.name, file }));
  const found = await Promise.all(entries.map(walk));
  return found.flat();
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<{path: string, file: File}[]>}
 */
async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(walk))).flat());
  }
}
