// Which requests the browser tells us of: those of sites with a labelled page open, and no others, because every request it
// tells us of waits for our answer. The listeners follow the pages as they come, are opened, and go.
import { api } from '../common/api.js';
import { TYPES } from './owner.js';

export class Watch {
  #interception;
  #sites;
  #watched = new Map();

  constructor({ interception, sites }) {
    this.#interception = interception;
    this.#sites = sites;
    sites.onChange(site => this.update(site));
  }

  /** Brings the listeners of `site` in line with its open documents. */
  update(site) {
    const urls = urlsOf(site, this.#sites.docsOfSite(site));
    const key = urls.join(' ');
    const before = this.#watched.get(site);
    if (key === (before?.key ?? '')) return;
    // The new ones first: no request may slip through between them.
    if (key) this.#watched.set(site, { key, remove: listen(this.#interception, urls) });
    else this.#watched.delete(site);
    before?.remove();
  }

  /** The same for all sites: a page has gone. */
  updateAll() {
    for (const site of [...this.#watched.keys()]) this.update(site);
  }
}

/** The match patterns: the whole site until its bundles are known. Patterns know no ports, so ownerOf looks again. */
function urlsOf(site, records) {
  const waiting = records.some(record => record.state === 'opening');
  const bases = waiting ? ['/'] : records.filter(record => record.state === 'ready').flatMap(record => record.bases);
  const { protocol, hostname } = new URL(site);
  return [...new Set(bases)].sort().map(base => `${protocol}//${hostname}${base}*`);
}

function listen(interception, urls) {
  const filter = { urls, types: TYPES };
  const listeners = [
    [api.webRequest.onBeforeSendHeaders, details => interception.beforeSend(details), [['blocking', 'requestHeaders']]],
    [api.webRequest.onHeadersReceived, details => interception.headersReceived(details), [['blocking', 'responseHeaders']]],
    [api.webRequest.onCompleted, details => interception.ended(details), []],
    [api.webRequest.onErrorOccurred, details => interception.failed(details), []],
  ];
  for (const [event, listener, extra] of listeners) event.addListener(listener, filter, ...extra);
  return () => {
    for (const [event, listener] of listeners) event.removeListener(listener);
  };
}
