// Reading a body with patience that ends: chunks of a Response, gathered up to a moment or passed on as they come.

export class StreamError extends Error {}

/**
 * The chunks of exactly `length` bytes. Throws StreamError when they stop short, stall, or are more than that: whatever was
 * given before is right.
 */
export async function* chunksOf(response, length, stallMs) {
  const reader = response.body.getReader();
  let left = length;
  try {
    while (left > 0) {
      const { done, value } = await withTimeout(reader.read(), stallMs);
      if (done) throw new StreamError('the body ended short');
      if (value.length > left) throw new StreamError('the body is too long');
      left -= value.length;
      if (value.length) yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Gathers chunks until they end or `holdMs` are over, but at least one. Returns {held, rest}: `rest` continues where `held`
 * ends, null when that is everything.
 */
export async function gather(chunks, holdMs) {
  const held = [];
  const deadline = Date.now() + holdMs;
  for (;;) {
    const next = chunks.next();
    const step = held.length ? await unless(next, deadline - Date.now()) : await next;
    if (step === LATE) return { held, rest: continueWith(next, chunks) };
    if (step.done) return { held, rest: null };
    held.push(step.value);
  }
}

const LATE = Symbol('late');

async function unless(promise, ms) {
  // The promise is awaited again later; until then nobody listens to its failure.
  promise.catch(() => {});
  let timer;
  const late = new Promise(resolve => {
    timer = setTimeout(resolve, Math.max(ms, 0), LATE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function* continueWith(next, chunks) {
  const { done, value } = await next;
  if (done) return;
  yield value;
  yield* chunks;
}

export async function withTimeout(promise, ms) {
  const step = await unless(promise, ms);
  if (step === LATE) throw new StreamError('nothing came in time');
  return step;
}
