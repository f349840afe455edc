// The table of requests on their way, fed by the browser's events.
import { assetPath, isUnder } from '../common/paths.js';
import { Exchange } from './exchange.js';
import { MAX_EXCHANGES } from './limits.js';
import { ownerOf } from './owner.js';

export class Interception {
  #sites;
  #assets;
  #exchanges = new Map();

  constructor({ sites, assets }) {
    this.#sites = sites;
    this.#assets = assets;
  }

  /** onBeforeSendHeaders, blocking. Undefined at once for whatever is none of ours, so that it loses no time. */
  beforeSend(details) {
    // The same request again: listeners overlap for a moment, or the browser starts it anew, which changes nothing. After an
    // answer it is a redirect, and another request in all but its number.
    const before = this.#exchanges.get(details.requestId);
    if (before && !before.answered) return undefined;
    if (before?.again) return { requestHeaders: before.again };
    if (this.#exchanges.size >= MAX_EXCHANGES) return undefined;
    const record = ownerOf(details, this.#sites);
    const path = record && assetPath(details.url, record.site);
    if (!path || (record.state === 'ready' && !isUnder(path, record.bases))) return undefined;

    const exchange = new Exchange({ record, sites: this.#sites, finished: () => this.#forget(details.requestId, exchange) });
    this.#exchanges.set(details.requestId, exchange);
    return exchange.hold(this.#assets, path, details);
  }

  /** onHeadersReceived, blocking. */
  headersReceived(details) {
    const exchange = this.#exchanges.get(details.requestId);
    return exchange && !exchange.committed ? exchange.answer(details) : undefined;
  }

  /** onCompleted: what has not begun by now never will. */
  ended({ requestId }) {
    const exchange = this.#exchanges.get(requestId);
    if (!exchange || exchange.committed) return;
    exchange.abort();
    this.#forget(requestId, exchange);
  }

  /** onErrorOccurred: the page gave up, or the origin's own answer broke, which a replaced body does not mind. */
  failed(details) {
    const exchange = this.#exchanges.get(details.requestId);
    if (exchange?.committed && details.error === 'NS_BINDING_ABORTED') exchange.abort();
    this.ended(details);
  }

  #forget(requestId, exchange) {
    if (this.#exchanges.get(requestId) === exchange) this.#exchanges.delete(requestId);
  }
}
