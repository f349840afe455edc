// The table of requests on their way, fed by the browser's events.
import { assetPath, isUnder } from '../common/paths.js';
import { Exchange } from './exchange.js';
import { Gate } from '../common/gate.js';
import { MAX_ASKING, MAX_EXCHANGES, MAX_READING } from './limits.js';
import { ownerOf } from './owner.js';
import { headerValue, isImportOfWorker } from './plan.js';

export class Interception {
  #sites;
  #assets;
  #exchanges = new Map();
  #gates = { asking: new Gate(MAX_ASKING), reading: new Gate(MAX_READING) };
  #isolated = new WeakSet();

  constructor({ sites, assets }) {
    this.#sites = sites;
    this.#assets = assets;
  }

  /** A labelled document's headers arrived, before any request of its own. */
  documentBegins(record, responseHeaders) {
    if (headerValue(responseHeaders, 'cross-origin-embedder-policy')) this.#isolated.add(record);
  }

  /**
   * onBeforeSendHeaders, blocking. Undefined at once for whatever is none of ours, so that it loses no time. The listener wants to
   * know (`begun`, `ended`) how long it is needed, and may not `accept` any more.
   */
  beforeSend(details, { accept, begun, ended }) {
    // The same request again: listeners overlap for a moment, or the browser starts it anew, which changes nothing. After an
    // answer it is a redirect, and another request in all but its number.
    const before = this.#exchanges.get(details.requestId);
    if (before && !before.answered) return undefined;
    if (before?.again) return { requestHeaders: before.again };
    if (!accept || this.#exchanges.size >= MAX_EXCHANGES) return undefined;
    const record = ownerOf(details, this.#sites);
    const path = record && assetPath(details.url, record.site);
    if (!path || (record.state === 'ready' && !isUnder(path, record.bases))) return undefined;
    // Firefox 153 crashes the page's process when a worker's script is replaced on a page with an embedder policy.
    if (this.#isolated.has(record) && isWorkerScript(details)) return undefined;
    // Its body cannot be replaced, and Firefox may say so only when the answer has been promised.
    if (isImportOfWorker(details, record.paths)) return undefined;
    return this.#begin(record, path, details, begun, ended);
  }

  #begin(record, path, details, begun, ended) {
    const finished = once(() => {
      if (this.#exchanges.get(details.requestId) === exchange) this.#exchanges.delete(details.requestId);
      ended();
    });
    const exchange = new Exchange({ record, sites: this.#sites, finished });
    this.#exchanges.get(details.requestId)?.end();
    this.#exchanges.set(details.requestId, exchange);
    begun();
    return exchange.hold(this.#assets, this.#gates, path, details);
  }

  /** onHeadersReceived, blocking. */
  headersReceived(details) {
    const exchange = this.#exchanges.get(details.requestId);
    return exchange && !exchange.answered ? exchange.answer(details) : undefined;
  }

  /** onCompleted: what has not begun by now never will. */
  ended({ requestId }) {
    const exchange = this.#exchanges.get(requestId);
    if (exchange && !exchange.committed) exchange.end();
  }

  /** onErrorOccurred: the page gave up, or the origin's own answer broke, which a replaced body does not mind. */
  failed({ requestId, error }) {
    const exchange = this.#exchanges.get(requestId);
    if (exchange?.committed && error === 'NS_BINDING_ABORTED') exchange.end();
    this.ended({ requestId });
  }
}

function isWorkerScript({ requestHeaders }) {
  return /worker$/.test(headerValue(requestHeaders, 'sec-fetch-dest') ?? '');
}

function once(fn) {
  let ran = false;
  return () => {
    if (ran) return;
    ran = true;
    fn();
  };
}
