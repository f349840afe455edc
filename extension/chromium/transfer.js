// One file, or a range of one, on its way from the host's gateway to a site worker. A message port has no backpressure of its
// own, so the worker pays for each chunk with a credit.
import { fetchGateway } from '../common/gateway.js';

const FIRST_CREDITS = 16;
/** Files up to this size go in one message, whole. */
const SMALL_BYTES = 64 * 1024;
/** A page that reads no further keeps its connection so long; a browser has only six of them for the gateway. */
const IDLE_MS = 1000;

export class Transfer {
  #send;
  #range;
  #credits = FIRST_CREDITS;
  #wake = null;
  #abort = new AbortController();

  /** `send(message, transferList)` reaches the worker; `range` is a checked Range header or ''. */
  constructor(send, range) {
    this.#send = send;
    this.#range = range;
  }

  credit(count) {
    this.#credits += Math.min(count, FIRST_CREDITS);
    this.#wake?.();
  }

  cancel() {
    this.#abort.abort();
    this.#wake?.();
  }

  /** Locates the file with `locate` and sends it; every way to fail ends in a message that sends the worker to the origin. */
  async run(locate) {
    try {
      const asset = await locate();
      if (this.#abort.signal.aborted) return;
      if (asset.via === 'gateway') await this.#carry(asset);
      else this.#send({ type: 'origin', reason: asset.reason });
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#send({ type: 'fail', reason: String(error.message).slice(0, 200) });
    }
  }

  async #carry(asset) {
    let part = await this.#open(asset.url, this.#range);
    if (part.total !== asset.length) throw new Error('length differs');
    const { start, length, total } = part;
    const head = { type: 'head', partial: part.response.status === 206, start, length, total,
      contentType: asset.contentType, headers: asset.headers, etag: asset.etag };
    if (length <= SMALL_BYTES) return this.#sendWhole(head, part.response);
    this.#send(head);
    // A connection given up while the page did not read goes on where it stopped.
    for (let sent = 0; ;) {
      sent += await this.#pump(part.response.body.getReader(), length - sent);
      if (sent === length) return;
      await this.#creditsPaid();
      if (this.#abort.signal.aborted) return;
      part = await this.#open(asset.url, `bytes=${start + sent}-${start + length - 1}`);
      if (part.length !== length - sent) throw new Error('length differs');
    }
  }

  #open(url, range) {
    return fetchGateway(url, { range, signal: this.#abort.signal });
  }

  async #sendWhole(head, response) {
    const bytes = await response.arrayBuffer();
    if (bytes.byteLength !== head.length) throw new Error('short body');
    this.#send({ ...head, bytes }, [bytes]);
  }

  /** Sends at most `length` bytes; returns how many, fewer only when the worker paid no credit for a while. */
  async #pump(reader, length) {
    let sent = 0;
    while (sent < length) {
      if (this.#credits <= 0 && !await this.#creditsPaid(IDLE_MS)) {
        reader.cancel().catch(() => {});
        return sent;
      }
      const { done, value } = await reader.read();
      if (done) throw new Error('short body');
      sent += value.byteLength;
      if (sent > length) throw new Error('long body');
      this.#credits--;
      const bytes = ownBuffer(value);
      this.#send({ type: 'data', bytes, last: sent === length }, [bytes]);
    }
    return sent;
  }

  /** True when a credit came, false when none did within `timeoutMs` or the transfer was cancelled. */
  async #creditsPaid(timeoutMs = Infinity) {
    if (this.#credits > 0 || this.#abort.signal.aborted) return this.#credits > 0;
    let timer = 0;
    await new Promise(resolve => {
      this.#wake = resolve;
      if (timeoutMs < Infinity) timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
    this.#wake = null;
    return this.#credits > 0 && !this.#abort.signal.aborted;
  }
}

/** A chunk's bytes as a buffer that can be given away. */
function ownBuffer(chunk) {
  const whole = chunk.byteLength === chunk.buffer.byteLength;
  return whole ? chunk.buffer : chunk.slice().buffer;
}
