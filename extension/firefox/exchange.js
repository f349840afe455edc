// One request from being held to its last byte: the state between the browser's events for it.
import { api } from '../common/api.js';
import { PLAIN_COST_BYTES } from './limits.js';
import { bodyLength, headerValue, mendResponseHeaders, planRequest, tinyRequestHeaders, verdict } from './plan.js';
import { Tail, fromOrigin, openSource } from './source.js';

export class Exchange {
  #record;
  #sites;
  #finished;
  #abort = new AbortController();
  #plan = null;
  #contentType = '';
  #source = null;
  #entityTag = '';
  #position = 0;
  #tail = new Tail();

  /** `finished` runs once no event of the request matters any more. */
  constructor({ record, sites, finished }) {
    this.#record = record;
    this.#sites = sites;
    this.#finished = finished;
    this.committed = false;
  }

  /**
   * Locates the file and waits for its bytes. Resolves to the answer to onBeforeSendHeaders; if anything is wrong that is
   * "as it was", and the origin answers as if nobody had asked.
   */
  async hold(assets, path, { type, requestHeaders }) {
    const located = await assets.locate(this.#record, path);
    if (located.via !== 'gateway') return {};
    const plan = planRequest(type, requestHeaders, located.length);
    if (!plan) return {};
    try {
      this.#source = await openSource(located, plan, this.#abort.signal);
    } catch {
      this.abort();
      return {};
    }
    // The page may have given up while it was held.
    if (this.#abort.signal.aborted) this.abort();
    this.#plan = plan;
    this.#contentType = located.contentType;
    return plan.tiny ? { requestHeaders: tinyRequestHeaders(requestHeaders, plan) } : {};
  }

  /** The origin's answer is here: replaces its body or leaves it alone. Returns the answer to onHeadersReceived. */
  answer(details) {
    const decision = this.#source ? verdict(this.#plan, details.statusCode) : 'pass';
    if (decision === 'wait') return {};
    if (decision === 'pass') {
      this.abort();
      if (!details.fromCache && details.statusCode < 300) this.#count(bodyLength(details.responseHeaders), 1);
      return {};
    }
    this.#replaceBody(details);
    return { responseHeaders: mendResponseHeaders(details.responseHeaders, this.#plan, this.#contentType) };
  }

  /** The page gave the request up, or the answer is the origin's: nothing more is fetched. */
  abort() {
    this.#abort.abort();
    this.#source?.release();
    this.#source = null;
  }

  #replaceBody({ requestId, url, responseHeaders, fromCache }) {
    this.committed = true;
    this.#position = this.#plan.start;
    this.#entityTag = headerValue(responseHeaders, 'etag');
    const cost = bodyLength(responseHeaders);
    this.#count(fromCache ? 0 : this.#plan.tiny ? cost : Math.min(cost, PLAIN_COST_BYTES), 0);

    const filter = api.webRequest.filterResponseData(requestId);
    filter.onstart = () => this.#pour(filter, url);
    filter.onerror = () => {
      this.abort();
      this.#finished();
    };
  }

  /** Writes it all in this very turn when it is at hand: each moment the filter stays open the origin goes on sending. */
  async #pour(filter, url) {
    const { held, rest, release } = this.#source;
    // What comes later is awaited with the origin's own answer stopped.
    if (rest) filter.suspend();
    try {
      for (const chunk of held) this.#write(filter, chunk);
      release();
      if (rest) await this.#pourRest(filter, rest, url);
      filter.close();
    } catch {
      // The page went away, or no source was left: the response ends here, as it does when a connection breaks.
      this.abort();
      close(filter);
    }
    this.#finished();
  }

  async #pourRest(filter, rest, url) {
    try {
      for await (const chunk of rest) this.#write(filter, chunk);
    } catch (error) {
      if (this.#abort.signal.aborted) throw error;
      await this.#continueAtOrigin(filter, url);
    }
  }

  async #continueAtOrigin(filter, url) {
    const from = this.#position;
    for await (const chunk of fromOrigin(url, this.#plan, from, this.#tail.bytes(), this.#entityTag, this.#abort.signal)) {
      this.#write(filter, chunk);
    }
    this.#count(this.#position - from, 0);
  }

  #write(filter, chunk) {
    if (!this.#sites.isOpen(this.#record)) this.abort();
    this.#abort.signal.throwIfAborted();
    filter.write(chunk);
    this.#position += chunk.length;
    this.#tail.push(chunk);
  }

  #count(bytes, files) {
    this.#sites.took(this.#record, bytes, files);
  }
}

function close(filter) {
  try {
    filter.close();
  } catch {
    // It is closed already, or the request is gone.
  }
}
