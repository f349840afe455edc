// Where the bytes of a held request come from: the host's gateway, and, when it fails half-way, the origin from there on.
import { fetchGateway } from '../common/gateway.js';
import { FIRST_BYTE_MS, HOLD_MS, HOLD_PLAIN_BYTES, HOLD_TINY_BYTES, HOLD_TOTAL_BYTES, OVERLAP_BYTES, STALL_MS } from './limits.js';
import { headerValue, rangeOf } from './plan.js';
import { StreamError, chunksOf, gather, withTimeout } from './stream.js';

let heldBytes = 0;

/**
 * Takes what came with the host's answer, or asks the gateway for the planned part and waits until it is complete or, for a big or
 * slow one, has begun. Returns {held, rest, release}: chunks at hand, the generator of the others (null when there are none), and
 * what to call when they are written.
 */
export async function openSource(located, plan, signal) {
  if (located.body) return { held: [located.body.subarray(plan.start, plan.last + 1)], rest: null, release: () => {} };
  const wanted = plan.last - plan.start + 1;
  const release = reserve(wanted, plan.tiny ? HOLD_TINY_BYTES : HOLD_PLAIN_BYTES);
  try {
    const chunks = fromGateway(located, plan, signal);
    return { ...await gather(chunks, release ? HOLD_MS : 0), release: release ?? (() => {}) };
  } catch (error) {
    release?.();
    throw error;
  }
}

function reserve(bytes, most) {
  if (bytes > most || heldBytes + bytes > HOLD_TOTAL_BYTES) return null;
  heldBytes += bytes;
  let done = false;
  return () => {
    if (!done) heldBytes -= bytes;
    done = true;
  };
}

async function* fromGateway(located, plan, signal) {
  const wanted = plan.last - plan.start + 1;
  const range = plan.ranged ? rangeOf(plan) : undefined;
  const answer = await withTimeout(fetchGateway(located.url, { range, signal }), FIRST_BYTE_MS);
  if (answer.start !== plan.start || answer.length !== wanted || answer.total !== plan.length) {
    throw new StreamError('the gateway gave another part than was asked');
  }
  yield* chunksOf(answer.response, wanted, STALL_MS);
}

/**
 * The part of the file from `position` on, from the origin itself, without cookies. It is only right when the origin still has
 * the very file the host began: same length, same entity tag as in its answer to the page, same bytes just before the break.
 */
export async function* fromOrigin(url, plan, position, tail, entityTag, signal) {
  const start = position - tail.length;
  const response = await withTimeout(fetch(url, {
    redirect: 'error',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
    headers: { range: `bytes=${start}-${plan.last}`, ...(isStrong(entityTag) ? { 'if-range': entityTag } : {}) },
    signal,
  }), STALL_MS * 4);
  const expected = `bytes ${start}-${plan.last}/${plan.length}`;
  if (response.status !== 206 || response.headers.get('content-range') !== expected) throw new StreamError('the origin has another file');
  if (response.headers.get('content-encoding')) throw new StreamError('the origin compresses parts');
  yield* afterTail(chunksOf(response, plan.last - start + 1, STALL_MS * 4), tail);
}

/** Compares what repeats the tail, and passes on what follows it. */
async function* afterTail(chunks, tail) {
  let compared = 0;
  for await (const chunk of chunks) {
    const same = Math.min(tail.length - compared, chunk.length);
    for (let i = 0; i < same; i++) {
      if (chunk[i] !== tail[compared + i]) throw new StreamError('the origin has other bytes');
    }
    compared += same;
    if (same < chunk.length) yield chunk.subarray(same);
  }
}

/** The last bytes written, kept for that comparison. */
export class Tail {
  #chunks = [];
  #length = 0;

  push(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length - this.#chunks[0].length >= OVERLAP_BYTES) this.#length -= this.#chunks.shift().length;
  }

  bytes() {
    const joined = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined.subarray(-OVERLAP_BYTES);
  }
}

function isStrong(tag) {
  return /^"[\x21\x23-\x7e]*"$/.test(tag ?? '');
}

export function entityTagOf(responseHeaders) {
  return headerValue(responseHeaders, 'etag') ?? '';
}
