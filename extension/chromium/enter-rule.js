// First visits. A page that is opened before its site's worker is registered would load everything from the site. So a labelled
// document of a site not entered yet is redirected, once, to the site's enter page, which registers the worker and comes back
// (content.js). Chromium decides by rules on response headers, before this worker hears of it. The rules last as long as the browser's
// session: nobody is redirected before this worker has met its host.
//
// Whatever the enter page does, the visitor gets what he asked for: a try counts from its first moment, an answer that is no page leads
// straight back (a rule too), and who is kept waiting is sent on.
import { api } from '../common/api.js';
import { isSite } from '../common/paths.js';

const ENTER_PAGE = '/.well-known/fringe/enter.html';
/** The browser takes 1000 rules with regular expressions. */
const MAX_SITES = 998;
const KEY = 'entered';
/** A site whose worker did not come is tried again after that. */
const RETRY_MS = 24 * 60 * 60 * 1000;
/** So long an enter page may take to come. Once it is there, content.js counts. */
const COME_MS = 3000;

const FIRST_SITE_RULE = 100;
const LABEL = [{ header: 'link', values: ['*rel="fringe"*', '*rel=fringe*'] }];
const HTML = [{ header: 'content-type', values: ['text/html*'] }];
const REDIRECT = [{ header: 'location' }];
/** A redirect is no document, and what must not be stored may well be there only once. */
const ONLY_ONCE = [...REDIRECT, { header: 'content-disposition', values: ['attachment*'] }, { header: 'cache-control', values: ['*no-store*'] }];

export class EnterRule {
  #host;
  /** Site -> the time at which it may be tried again; 0 is never: its worker has come. */
  #entered = new Map();
  #zones = new Map();
  #loaded;
  #update = Promise.resolve();
  /** Tab -> {requestId, url, timer}: on its way to the enter page `url`. */
  #coming = new Map();

  constructor(host) {
    this.#host = host;
    this.#loaded = this.#load();
    host.onState(() => this.#hostChanged());
    host.onDefaultZone(() => this.#apply());
    host.onEvent(({ event, site, zone, chosen }) => event === 'site.changed' && this.chosenIs(site, chosen === 'default' ? null : zone));
    const documents = { urls: ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*'], types: ['main_frame'] };
    api.webRequest.onBeforeRedirect.addListener(details => this.#redirected(details), documents);
    api.webRequest.onErrorOccurred.addListener(details => this.#failed(details), documents);
    api.tabs.onRemoved.addListener(tab => this.arrived(tab));
  }

  /** The site has shown itself as one that takes part. */
  knows(site) {
    return this.#entered.has(site);
  }

  /** The site has its worker: no more redirects there. */
  async entered(site) {
    await this.#loaded;
    if (this.#entered.get(site) !== 0) await this.#enter(site, 0);
  }

  /** The site is being entered. Whatever comes of it, it is not tried again for a while. */
  async tried(site) {
    await this.#loaded;
    if (!this.#isOver(site)) await this.#enter(site, Date.now() + RETRY_MS);
    await this.#update;
  }

  /** The tab shows the enter page, so its content script counts the time. */
  arrived(tab) {
    clearTimeout(this.#coming.get(tab)?.timer);
    this.#coming.delete(tab);
  }

  async #enter(site, again) {
    if (!isSite(site)) return;
    this.#entered.delete(site);
    this.#entered.set(site, again);
    if (this.#entered.size > MAX_SITES) this.#entered.delete(this.#entered.keys().next().value);
    await this.#apply();
    // The rules are what counts: a disk that is full must lead nobody back to the enter page.
    await api.storage.local.set({ [KEY]: Object.fromEntries(this.#entered) }).catch(error => console.warn('enter rule:', error.message));
  }

  /** A time beyond the next try comes from a clock that was wrong. */
  #isOver(site) {
    const again = this.#entered.get(site);
    return again === 0 || (again > Date.now() && again <= Date.now() + RETRY_MS);
  }

  async #load() {
    const { [KEY]: entered } = await api.storage.local.get(KEY).catch(() => ({}));
    const known = Object.entries(entered ?? {}).filter(([site, again]) => isSite(site) && Number.isSafeInteger(again) && again >= 0);
    this.#entered = new Map(known.slice(-MAX_SITES));
  }

  /** The visitor's choices decide where a first visit may be redirected at all. */
  async #hostChanged() {
    if (this.#host.ready) {
      const { sites = [] } = await this.#host.request('sites').catch(() => ({}));
      this.#zones = new Map(sites.filter(({ chosen }) => chosen !== 'default').map(({ site, zone }) => [site, zone]));
    }
    await this.#apply();
  }

  /** The visitor's choice for a site, or null: what holds for all holds there. */
  async chosenIs(site, zone) {
    if ((this.#zones.get(site) ?? null) === zone) return;
    if (zone) this.#zones.set(site, zone);
    else this.#zones.delete(site);
    await this.#apply();
  }

  /** One update after another: each replaces all rules. What the browser refuses must not leave the old ones in place. */
  #apply() {
    this.#update = this.#update.then(() => this.#replaceRules()).catch(error => {
      console.warn('enter rule:', error.message);
      return replaceAll([]).catch(() => {});
    });
    return this.#update;
  }

  async #replaceRules() {
    await this.#loaded;
    const over = [...this.#entered.keys()].filter(site => this.#isOver(site));
    await replaceAll(this.#host.ready ? enterRules(this.#host.info.defaultZone, this.#zones, new Set(over)) : []);
  }

  /** To an enter page by our rule, or from one by its site, which would lose the address that the visitor asked for. */
  #redirected({ url, redirectUrl, tabId, requestId, documentLifecycle }) {
    if (tabId < 0 || documentLifecycle === 'prerender') return;
    const comes = this.#coming.get(tabId);
    if (enterTarget(url) !== null) {
      // Our own rule leads back to where the visitor wanted.
      if (comes?.requestId === requestId && enterTarget(url) !== redirectUrl) this.#sendOn(tabId, comes);
    } else if (enterTarget(redirectUrl) !== null) {
      this.tried(new URL(redirectUrl).origin);
      this.#hostBegins(new URL(redirectUrl).origin);
      // Where a site leads on to is labelled as well: only the first address counts.
      if (comes?.requestId !== requestId) this.#await(tabId, { requestId, url: redirectUrl });
    }
  }

  /** The host may fetch the release while the worker is being registered. */
  #hostBegins(site) {
    if (this.#host.ready) this.#host.request('site.open', { site, seq: 0 }).catch(() => {});
  }

  #failed({ tabId, requestId, error }) {
    const comes = this.#coming.get(tabId);
    if (comes?.requestId !== requestId) return;
    if (error === 'net::ERR_ABORTED') this.arrived(tabId);
    else this.#sendOn(tabId, comes);
  }

  #await(tab, comes) {
    this.arrived(tab);
    comes.timer = setTimeout(() => this.#sendOn(tab, comes), COME_MS);
    this.#coming.set(tab, comes);
  }

  /** To where the visitor wanted, unless the tab has gone elsewhere: what a browser fetches ahead concerns no tab yet. */
  async #sendOn(tab, comes) {
    clearTimeout(comes.timer);
    if (comes.sent) return;
    comes.sent = true;
    await this.tried(new URL(comes.url).origin);
    const shown = await api.tabs.get(tab).catch(() => null);
    const still = shown && (shown.url === comes.url || shown.status === 'loading');
    if (still && this.#coming.get(tab) === comes) await api.tabs.update(tab, { url: enterTarget(comes.url) });
  }
}

async function replaceAll(addRules) {
  const old = await api.declarativeNetRequest.getSessionRules();
  await api.declarativeNetRequest.updateSessionRules({ removeRuleIds: old.map(rule => rule.id), addRules });
}

/** Where an enter page's address leads: a page of the same site, or null. */
export function enterTarget(url) {
  if (!URL.canParse(url)) return null;
  const { origin, pathname, search, hash } = new URL(url);
  if (pathname !== ENTER_PAGE || !search.startsWith('?to=/')) return null;
  const target = new URL(origin + search.slice('?to='.length) + hash);
  return target.origin === origin && target.pathname !== ENTER_PAGE ? target.href : null;
}

/**
 * The rules for these choices. `zones` maps the sites the visitor chose a zone for, `entered` holds those that need no redirect
 * any more.
 */
export function enterRules(defaultZone, zones, entered) {
  const always = [allow(1, { urlFilter: ENTER_PAGE }), allow(2, { excludedResponseHeaders: HTML }), back(3, { excludedResponseHeaders: HTML }), back(4, { responseHeaders: REDIRECT })];
  if (defaultZone === 'off') {
    const sites = [...zones].filter(([site, zone]) => zone !== 'off' && !entered.has(site) && isSite(site));
    return [...always, ...sites.slice(-MAX_SITES).map(([site], i) => redirect(FIRST_SITE_RULE + i, escapeRegExp(site)))];
  }
  const off = [...zones].filter(([, zone]) => zone === 'off').map(([site]) => site);
  const sites = [...new Set([...entered, ...off])].filter(isSite);
  return [...always, redirect(5, 'https://[^/]+'), ...sites.slice(-2 * MAX_SITES).map((site, i) => allow(FIRST_SITE_RULE + i, { urlFilter: `|${site}/` }))];
}

function redirect(id, sitePattern) {
  return {
    id,
    priority: 1,
    action: { type: 'redirect', redirect: { regexSubstitution: `\\1${ENTER_PAGE}?to=\\2` } },
    condition: {
      regexFilter: `^(${sitePattern})(/[^#]*)`, resourceTypes: ['main_frame'], requestMethods: ['get'], responseHeaders: LABEL, excludedResponseHeaders: ONLY_ONCE,
    },
  };
}

/** An enter page that is no page would be saved as a file, or leave the tab as it is; a redirect would lose the address. */
function back(id, condition) {
  return {
    id,
    priority: 3,
    action: { type: 'redirect', redirect: { regexSubstitution: '\\1\\2' } },
    condition: {
      ...condition, regexFilter: `^(https?://[^/]+)${escapeRegExp(ENTER_PAGE)}\\?to=(/[^#]*)`, resourceTypes: ['main_frame'], requestMethods: ['get'],
    },
  };
}

function allow(id, condition) {
  return { id, priority: 2, action: { type: 'allow' }, condition: { ...condition, resourceTypes: ['main_frame'] } };
}

function escapeRegExp(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
