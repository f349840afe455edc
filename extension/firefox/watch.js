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
    if (key) this.#watched.set(site, { key, listeners: new Listeners(this.#interception, urls) });
    else this.#watched.delete(site);
    before?.listeners.retire();
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

/** One set of listeners. Retired it takes no more requests, but those it has sent out asking for one byte it sees to their end. */
class Listeners {
  #interception;
  #begin = details => this.#began(details);
  #follow;
  #live = 0;
  #retired = false;

  constructor(interception, urls) {
    this.#interception = interception;
    const filter = { urls, types: TYPES };
    this.#follow = [
      [api.webRequest.onHeadersReceived, details => interception.headersReceived(details), [['blocking', 'responseHeaders']]],
      [api.webRequest.onCompleted, details => interception.ended(details), []],
      [api.webRequest.onErrorOccurred, details => interception.failed(details), []],
    ];
    for (const [event, listener, extra] of this.#follow) event.addListener(listener, filter, ...extra);
    api.webRequest.onBeforeSendHeaders.addListener(this.#begin, filter, ['blocking', 'requestHeaders']);
  }

  retire() {
    this.#retired = true;
    this.#removeIfIdle();
  }

  #began(details) {
    // A redirect of a request that is ours may still come.
    return this.#interception.beforeSend(details, { accept: !this.#retired, begun: () => this.#live++, ended: () => this.#ended() });
  }

  #ended() {
    this.#live--;
    if (this.#retired) this.#removeIfIdle();
  }

  #removeIfIdle() {
    if (this.#live > 0) return;
    api.webRequest.onBeforeSendHeaders.removeListener(this.#begin);
    for (const [event, listener] of this.#follow) event.removeListener(listener);
  }
}
