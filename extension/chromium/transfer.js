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
  #slots;
  #waiting = false;
  #credits = FIRST_CREDITS;
  #wake = null;
  #abort = new AbortController();

  /** `send(message, transferList)` reaches the worker; `range` is a checked Range header or ''; `slots` are GatewaySlots. */
  constructor(send, range, slots) {
    this.#send = send;
    this.#range = range;
    this.#slots = slots;
  }

  credit(count) {
    this.#credits += Math.min(count, FIRST_CREDITS);
    this.#wake?.();
  }

  /** `late`: the worker has waited long enough for the first byte. */
  cancel(late = false) {
    if (late && this.#waiting) this.#slots.silent();
    this.#abort.abort();
    this.#wake?.();
  }

  /** Locates the file with `locate` and sends it; every way to fail ends in a message that sends the worker to the origin. */
  async run(locate) {
    try {
      const asset = await locate();
      if (this.#abort.signal.aborted) return;
      if (asset.via !== 'gateway') this.#send({ type: 'origin', reason: asset.reason });
      else if (asset.body && !this.#range) this.#give(asset);
      else await this.#carry(asset);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#send({ type: 'fail', reason: String(error.message).slice(0, 200) });
    }
  }

  /** The file came with the host's answer. */
  #give({ body, length, contentType, headers, etag }) {
    const bytes = body.buffer;
    this.#send({ type: 'head', partial: false, start: 0, length, total: length, contentType, headers, etag, bytes }, [bytes]);
  }

  async #carry(asset) {
    const head = await this.#inSlot(async () => {
      this.#send({ type: 'begin' });
      const part = await this.#open(asset.url, this.#range);
      if (part.total !== asset.length) throw new Error('length differs');
      return this.#sendHead(asset, part);
    });
    if (!head) throw new Error('busy');
    // A connection given up while the page did not read goes on where it stopped.
    for (let { sent } = head; sent < head.length && await this.#creditsPaid();) {
      const more = await this.#inSlot(() => this.#continue(asset.url, head.start + sent, head.start + head.length - 1));
      if (!more) throw new Error('busy');
      sent += more;
    }
  }

  /** What `work` returns; null when there was no connection to be had. */
  async #inSlot(work) {
    const leave = await this.#slots.enter();
    if (!leave) return null;
    try {
      return this.#abort.signal.aborted ? null : await work();
    } finally {
      leave();
    }
  }

  /** Sends the head and as much of the body as the worker takes at once. */
  async #sendHead({ contentType, headers, etag }, { response, start, length, total }) {
    const head = { type: 'head', partial: response.status === 206, start, length, total, contentType, headers, etag };
    if (length <= SMALL_BYTES) {
      await this.#sendWhole(head, response);
      return { start, length, sent: length };
    }
    this.#send(head);
    return { start, length, sent: await this.#pump(response.body.getReader(), length) };
  }

  async #continue(url, first, last) {
    const { response, length } = await this.#open(url, `bytes=${first}-${last}`);
    if (length !== last - first + 1) throw new Error('length differs');
    return this.#pump(response.body.getReader(), length);
  }

  async #open(url, range) {
    this.#waiting = true;
    const part = await fetchGateway(url, { range, signal: this.#abort.signal });
    this.#waiting = false;
    this.#slots.answered();
    return part;
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
