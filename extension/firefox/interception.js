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
    // A site's listeners may overlap for a moment; the first one has the request.
    if (this.#exchanges.has(details.requestId) || this.#exchanges.size >= MAX_EXCHANGES) return undefined;
    const record = ownerOf(details, this.#sites);
    const path = record && assetPath(details.url, record.site);
    if (!path || (record.state === 'ready' && !isUnder(path, record.bases))) return undefined;

    const finished = () => this.#exchanges.delete(details.requestId);
    const exchange = new Exchange({ record, sites: this.#sites, finished });
    this.#exchanges.set(details.requestId, exchange);
    return exchange.hold(this.#assets, path, details);
  }

  /** onHeadersReceived, blocking. */
  headersReceived(details) {
    const exchange = this.#exchanges.get(details.requestId);
    return exchange && !exchange.committed ? exchange.answer(details) : undefined;
  }

  /** onBeforeRedirect, onCompleted: what has not begun by now never will. */
  ended({ requestId }) {
    const exchange = this.#exchanges.get(requestId);
    if (!exchange || exchange.committed) return;
    exchange.abort();
    this.#exchanges.delete(requestId);
  }

  /** onErrorOccurred: the page gave up, or the origin's own answer broke, which a replaced body does not mind. */
  failed(details) {
    const exchange = this.#exchanges.get(details.requestId);
    if (exchange?.committed && details.error === 'NS_BINDING_ABORTED') exchange.abort();
    this.ended(details);
  }
}
