// Requests to this service, and what they answer.

/**
 * @typedef {{label: string, probability: number}} Scored
 * @typedef {{id: string, label: string, score: number, thumbnail: string | null}} Near
 * @typedef {{loss: string, version: number, label: string, probability: number,
 *   unknown: boolean | null, top: Scored[], neighbors: Near[]}} Opinion
 * @typedef {{label: string, losses: number, of: number, unknown: number | null}} Agreement
 * @typedef {{agreement: Agreement, opinions: Opinion[]}} Compared
 * @typedef {{losses: string[], images: Compared[]}} CompareAnswer
 */

/** An answer that is a problem (RFC 9457), in its own words. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {string} code
   * @param {number} [status]
   * @param {Record<string, any>} [facts] what else the answer says
   */
  constructor(message, code, status = 0, facts = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.facts = facts;
  }
}

/**
 * Ask for something. Throws Problem where it is refused.
 * @param {string} address
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function ask(address, init = {}) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(address, { ...init, headers: { Accept: "application/json", ...init.headers } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem("The service does not answer.", "unreachable");
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Problem(body.detail ?? `The service answered ${answer.status}.`, body.code ?? "", answer.status, body);
}

/**
 * Ask for JSON.
 * @param {string} address
 * @param {RequestInit} [init]
 */
export async function askJson(address, init) {
  return (await ask(address, init)).json();
}

/**
 * What every loss says of one picture.
 * @param {Blob} picture
 * @returns {Promise<Compared>}
 */
export async function compare(picture) {
  const type = picture.type || "application/octet-stream";
  /** @type {CompareAnswer} */
  const answer = await askJson("/compare?k=5&top_k=3", {
    method: "POST",
    body: picture,
    headers: { "Content-Type": type },
  });
  return answer.images[0];
}
