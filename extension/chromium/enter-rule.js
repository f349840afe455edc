// First visits. A page that is opened before its site's worker is registered would load everything from the site. So a labelled
// document of a site not entered yet is redirected, once, to the site's enter page, which registers the worker and comes back
// (content.js). Chromium decides by rules on response headers, before this worker hears of it.
import { api } from '../common/api.js';
import { isSite } from '../common/paths.js';

const ENTER_PAGE = '/.well-known/fringe/enter.html';
const MAX_SITES = 1000;
const KEY = 'entered';

const FIRST_SITE_RULE = 100;
const LABEL = [{ header: 'link', values: ['*rel="fringe"*', '*rel=fringe*'] }];

export class EnterRule {
  #host;
  #entered = new Set();
  #zones = new Map();
  #loaded;
  #update = Promise.resolve();
  #givenUp = new Map();

  constructor(host) {
    this.#host = host;
    this.#loaded = this.#load();
    host.onState(() => this.#hostChanged());
    host.onDefaultZone(() => this.#apply());
    host.onEvent(({ event, site, zone, chosen }) => event === 'site.changed' && this.chosenIs(site, chosen === 'default' ? null : zone));
    const enterPage = { urls: [`https://*/${ENTER_PAGE.slice(1)}*`], types: ['main_frame'] };
    api.webRequest.onHeadersReceived.addListener(details => this.#answered(details), enterPage);
    api.webRequest.onErrorOccurred.addListener(details => this.#giveUp(details), enterPage);
    api.tabs.onRemoved.addListener(tab => this.#givenUp.delete(tab));
  }

  /** The site has its worker, or cannot have one: no more redirects there. */
  async entered(site) {
    await this.#loaded;
    if (!isSite(site) || this.#entered.has(site)) return;
    this.#entered.add(site);
    if (this.#entered.size > MAX_SITES) this.#entered.delete(this.#entered.values().next().value);
    await api.storage.local.set({ [KEY]: [...this.#entered] });
    await this.#apply();
  }

  async #load() {
    const { [KEY]: entered = [] } = await api.storage.local.get(KEY);
    this.#entered = new Set(entered.filter(isSite));
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

  /** One update after another: each replaces all rules. */
  #apply() {
    this.#update = this.#update.then(() => this.#replaceRules()).catch(error => console.warn('enter rule:', error.message));
    return this.#update;
  }

  async #replaceRules() {
    await this.#loaded;
    const addRules = this.#host.ready ? enterRules(this.#host.info.defaultZone, this.#zones, this.#entered) : [];
    const old = await api.declarativeNetRequest.getDynamicRules();
    await api.declarativeNetRequest.updateDynamicRules({ removeRuleIds: old.map(rule => rule.id), addRules });
  }

  /** A site that redirects its enter page elsewhere would lose the address the visitor asked for. */
  #answered(details) {
    if (details.statusCode >= 300 && details.statusCode < 400) this.#giveUp(details);
  }

  async #giveUp({ url, tabId, requestId, error }) {
    const target = enterTarget(url);
    if (!target || tabId < 0 || error === 'net::ERR_ABORTED') return;
    // Until the rules have changed, wherever the site leads on to is redirected to the enter page too: only the first address counts.
    if (this.#givenUp.get(tabId) === requestId) return;
    this.#givenUp.set(tabId, requestId);
    await this.entered(new URL(url).origin);
    await api.tabs.update(tabId, { url: target });
  }
}

/** Where an enter page's address leads: a page of the same site, or null. */
export function enterTarget(url) {
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
  const never = allow(1, ENTER_PAGE);
  if (defaultZone === 'off') {
    const sites = [...zones].filter(([site, zone]) => zone !== 'off' && !entered.has(site) && isSite(site));
    return [never, ...sites.slice(-MAX_SITES).map(([site], i) => redirect(FIRST_SITE_RULE + i, escapeRegExp(site)))];
  }
  const off = [...zones].filter(([, zone]) => zone === 'off').map(([site]) => site);
  const sites = [...new Set([...entered, ...off])].filter(isSite);
  return [never, redirect(2, 'https://[^/]+'), ...sites.slice(-2 * MAX_SITES).map((site, i) => allow(FIRST_SITE_RULE + i, `|${site}/`))];
}

function redirect(id, sitePattern) {
  return {
    id,
    priority: 1,
    action: { type: 'redirect', redirect: { regexSubstitution: `\\1${ENTER_PAGE}?to=\\2` } },
    condition: { regexFilter: `^(${sitePattern})(/[^#]*)`, resourceTypes: ['main_frame'], requestMethods: ['get'], responseHeaders: LABEL },
  };
}

function allow(id, urlFilter) {
  return { id, priority: 2, action: { type: 'allow' }, condition: { urlFilter, resourceTypes: ['main_frame'] } };
}

function escapeRegExp(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
