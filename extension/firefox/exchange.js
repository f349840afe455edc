// One request from being held to its last byte: the state between the browser's events for it.
import { api } from '../common/api.js';
import { PLAIN_COST_BYTES, QUEUE_MS } from './limits.js';
import { bodyLength, headerValue, mendResponseHeaders, planRequest, tinyRequestHeaders, verdict } from './plan.js';
import { Tail, fromOrigin, openSource } from './source.js';
import { StreamError } from './stream.js';

export class Exchange {
  #record;
  #sites;
  #finished;
  #abort = new AbortController();
  #plan = null;
  #located = null;
  #source = null;
  #filter = null;
  #filterFailed = false;
  #entityTag = '';
  #position = 0;
  #tail = new Tail();

  /** `finished` runs once no event of the request matters any more. */
  constructor({ record, sites, finished }) {
    this.#record = record;
    this.#sites = sites;
    this.#finished = finished;
    /** The origin's answer has been dealt with. */
    this.answered = false;
    /** Its body is being replaced. */
    this.committed = false;
    /** The request's own headers, when it has to be sent again as it was. */
    this.again = null;
  }

  /**
   * Locates the file and waits for its bytes. Resolves to the answer to onBeforeSendHeaders; if anything is wrong that is
   * "as it was", and the origin answers as if nobody had asked.
   */
  async hold(assets, gates, path, details) {
    const located = await gates.asking.within(QUEUE_MS, () => assets.locate(this.#record, path));
    const plan = located?.via === 'gateway' ? planRequest(details, located.length) : null;
    if (!plan || this.#abort.signal.aborted) return {};
    this.#attach(details);
    try {
      this.#source = located.body ? await openSource(located, plan, this.#abort.signal)
        : await gates.reading.within(QUEUE_MS, () => (assets.answering ? openSource(located, plan, this.#abort.signal) : null));
    } catch (error) {
      if (error instanceof StreamError) assets.doubt();
      this.abort();
    }
    // By now the browser has told if it refuses the filter, and the page may have given up.
    if (this.#filterFailed || this.#abort.signal.aborted) this.abort();
    if (!this.#source) return {};
    this.#plan = plan;
    this.#located = located;
    if (!plan.tiny) return {};
    this.again = details.requestHeaders;
    return { requestHeaders: tinyRequestHeaders(details.requestHeaders, plan) };
  }

  /** Nothing is touched before the answer is seen to be one whose body can be replaced. */
  #attach({ requestId, url }) {
    this.#filter = api.webRequest.filterResponseData(requestId);
    this.#filter.onstart = () => (this.committed ? this.#pour(url) : this.#filter.disconnect());
    this.#filter.onerror = () => {
      this.#filterFailed = true;
      if (this.committed) this.end();
    };
  }

  /** The origin's answer is here: replaces its body or leaves it alone. Returns the answer to onHeadersReceived. */
  answer(details) {
    const decision = this.#source ? verdict(this.#plan, details.statusCode, details.responseHeaders) : 'pass';
    if (decision === 'wait') return {};
    this.answered = true;
    if (decision === 'replace' && !this.#filterFailed) return this.#replace(details);
    this.abort();
    // A few bytes of a file that nothing completes: once more from the start, and without us.
    if (decision === 'again' || (decision === 'replace' && this.#plan.tiny)) return { redirectUrl: details.url };
    this.again = null;
    if (!details.fromCache && details.statusCode < 300) this.#count(bodyLength(details.responseHeaders));
    return {};
  }

  #replace({ responseHeaders, fromCache }) {
    this.committed = true;
    this.again = null;
    this.#position = this.#plan.start;
    this.#entityTag = headerValue(responseHeaders, 'etag');
    const cost = bodyLength(responseHeaders);
    this.#count(fromCache ? 0 : this.#plan.tiny ? cost : Math.min(cost, PLAIN_COST_BYTES));
    return { responseHeaders: mendResponseHeaders(responseHeaders, this.#plan, this.#located) };
  }

  /** The page gave the request up, or the answer is the origin's: nothing more is fetched. */
  abort() {
    this.#abort.abort();
    this.#source?.release();
    this.#source = null;
  }

  /** No event of the request matters any more. */
  end() {
    this.abort();
    this.#finished();
  }

  /**
   * Writes what is at hand in this very turn. A plain answer is cut short then and there, or the origin would go on sending; the
   * end of a tiny one is awaited, because a filter closed before it takes the request down with it.
   */
  async #pour(url) {
    const filter = this.#filter;
    const { held, rest, release } = this.#source;
    const { tiny } = this.#plan;
    const stopped = tiny && new Promise(resolve => {
      filter.onstop = resolve;
    });
    if (rest && !tiny) filter.suspend();
    try {
      for (const chunk of held) this.#write(chunk);
      release();
      if (rest) await this.#pourRest(rest, url);
      if (tiny) await stopped;
      filter.close();
    } catch {
      // The page went away, or no source was left: the response ends here, as it does when a connection breaks.
      close(filter);
    }
    this.end();
  }

  async #pourRest(rest, url) {
    try {
      for await (const chunk of rest) this.#write(chunk);
    } catch (error) {
      if (this.#abort.signal.aborted) throw error;
      await this.#continueAtOrigin(url);
    }
  }

  async #continueAtOrigin(url) {
    const from = this.#position;
    for await (const chunk of fromOrigin(url, this.#plan, from, this.#tail.bytes(), this.#entityTag, this.#abort.signal)) {
      this.#write(chunk);
    }
    this.#count(this.#position - from);
  }

  #write(chunk) {
    if (!this.#sites.isOpen(this.#record)) this.abort();
    this.#abort.signal.throwIfAborted();
    this.#filter.write(chunk);
    this.#position += chunk.length;
    this.#tail.push(chunk);
  }

  #count(bytes) {
    this.#sites.took(this.#record, bytes);
  }
}

function close(filter) {
  try {
    filter.close();
  } catch {
    // It is closed already, or the request is gone.
  }
}
