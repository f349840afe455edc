// The badge on the extension's button: how many files of the page in front came through Fringe, or that something wants looking at.
// Each state differs by its sign, not by colour alone, and the button's title says it in words.
import { api } from '../common/api.js';
import { siteOf } from '../common/paths.js';
import { problemsOf, signOf } from './problems.js';

const UPDATE_MS = 250;
/** A host that is started again at once is no news. */
const CRASH_MS = 1500;

const SIGNS = {
  missing: { sign: '×', color: '#6b7280', title: 'badgeMissing' },
  problem: { sign: '!', color: '#b3261e', title: 'badgeProblem' },
  asks: { sign: '?', color: '#8a5a00', title: 'badgeAsks' },
  carries: { color: '#0b62c4', title: 'badgeCarries' },
  quiet: { sign: '', color: '#0b62c4', title: 'extensionName' },
};

export class Badge {
  #host;
  #sites;
  #due = new Set();
  #timer = 0;

  constructor({ host, sites }) {
    this.#host = host;
    this.#sites = sites;
    host.onState(state => setTimeout(() => this.#all(), state === 'crashed' ? CRASH_MS : 0));
    host.onDefaultZone(() => this.#all());
    host.onHealth(() => this.#all());
    sites.onChange(site => sites.docsOfSite(site).forEach(record => this.#tab(record.tab)));
    sites.onCarried(record => this.#tab(record.tab));
    // A navigation takes the tab's badge away after the new document's headers were seen.
    api.tabs.onUpdated.addListener((tab, { status }) => status && this.#tab(tab));
    this.#all();
  }

  #all() {
    for (const tab of [undefined, ...this.#sites.tabs()]) this.#tab(tab);
  }

  /** `undefined` stands for all tabs that have none of their own. */
  #tab(tab) {
    this.#due.add(tab);
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      const due = [...this.#due];
      this.#due.clear();
      for (const each of due) this.#update(each).catch(() => {});
    }, UPDATE_MS);
  }

  async #update(tabId) {
    const record = tabId === undefined ? null : await this.#record(tabId);
    const state = badgeState(this.#host, record);
    const { sign, color, title } = SIGNS[state];
    const text = state === 'carries' ? shortNumber(record.carried) : sign;
    const target = tabId === undefined ? {} : { tabId };
    await api.action.setBadgeBackgroundColor({ ...target, color });
    await api.action.setBadgeTextColor?.({ ...target, color: '#ffffff' });
    await api.action.setTitle({ ...target, title: api.i18n.getMessage(title, [text]) });
    await api.action.setBadgeText({ ...target, text });
  }

  /** The tab's document, unless the tab has gone on to where we see nothing. */
  async #record(tabId) {
    const record = this.#sites.docOfTab(tabId);
    const { url } = await api.tabs.get(tabId);
    return record?.site && siteOf(url) === record.site ? record : null;
  }
}

export function badgeState(host, record) {
  const sign = signOf(problemsOf({ host, site: record && troubled(record) }));
  if (sign) return sign;
  if (!record) return 'quiet';
  if (asksVisitor(host, record)) return 'asks';
  return record.state === 'ready' && record.carried > 0 ? 'carries' : 'quiet';
}

/** The record as problems.js sees it: a file that could not be kept counts like a release that cannot be used. */
export function troubled(record) {
  return record.trouble ? { ...record, state: 'failed', reason: record.trouble } : record;
}

/** The site takes part, and the visitor, who wants to be asked, has not been yet. */
export function asksVisitor(host, record) {
  return host.ready && record.state === 'off' && !record.chosen && host.info.defaultZone === 'off';
}

/** Four signs are legible. */
export function shortNumber(number) {
  if (number < 1000) return String(number);
  return number < 1e6 ? `${Math.floor(number / 1000)}k` : `${Math.floor(number / 1e6)}M`;
}
