// Which document of which tab belongs to which site and release, and what the host said about it. A record is made when a
// document's headers arrive, so before its first file is asked for; its `doc` names it to the host, which counts bytes by it.
//
// A document stays with the release of its own label, whatever other tabs show: a page of release 42 never gets a file of 41.
import { MAX_BASES, MAX_DOCUMENTS, MAX_SEQ, OPEN_TIMEOUT_MS, OPEN_WAIT_MS, PAGE_WAIT_MS } from '../common/limits.js';
import { isPath } from '../common/paths.js';
import { within } from '../common/within.js';
import { ZONES } from './host.js';

/** Documents loaded ahead that no tab shows yet. */
const MAX_AHEAD = 32;

/** The host would carry it, but cannot keep it. */
const NOT_KEPT = ['cannot-store', 'no-room'];

/** Paths remembered of one document, so that a file in several parts counts once. */
const MAX_CARRIED_PATHS = 4096;

export class Sites {
  #host;
  #docs = new Map();
  #tabs = new Map();
  #pages = new Map();
  #pageWaiters = new Map();
  #ahead = new Map();
  #ownWorkers = new Map();
  #listeners = new Set();
  #carriedListeners = new Set();
  #remember = () => {};
  #prefix = Math.random().toString(36).slice(2, 8);
  #count = 0;

  constructor(host) {
    this.#host = host;
    /** Resolved when what an earlier run of the background knew is known again (memory.js). */
    this.restored = Promise.resolve();
    host.onState(state => this.#hostState(state));
    host.onEvent(message => this.#hostEvent(message));
    host.onHealth(() => this.#tryAgain());
    host.onDefaultZone(() => this.#reopen());
  }

  /** `listener(site)` runs whenever what is known of a site changes: opened, zone switched, host gone. */
  onChange(listener) {
    this.#listeners.add(listener);
  }

  /** `listener(record)` runs when one more file came through the host, or could not. */
  onCarried(listener) {
    this.#carriedListeners.add(listener);
  }

  /** A document of `tab` begins; `label` is null for a page that takes no part. */
  navigated(tab, label) {
    const record = this.#newRecord(tab, label);
    this.#ownWorkers.delete(tab);
    this.#add(record);
    if (label) this.#open(record);
    return record;
  }

  /** The browser loads a document ahead, in a frame of its own: the tab shows it later, or never. */
  loadedAhead(tab, frame, label) {
    const record = this.#newRecord(tab, label);
    const key = `${tab}.${frame}`;
    this.#ahead.delete(key);
    this.#ahead.set(key, record);
    if (this.#ahead.size > MAX_AHEAD) this.#ahead.delete(this.#ahead.keys().next().value);
    if (!label) return;
    this.#keep(record);
    this.#open(record);
  }

  /** Takes over records that an earlier run of the background remembered, oldest first. Newer knowledge stays. */
  restore(records) {
    const known = new Set(this.#tabs.keys());
    for (const { doc, tab, site, seq, page, taken, carried = 0 } of records) {
      if (known.has(tab)) continue;
      const record = { ...newRecord(doc, tab, site ? { site, seq } : null), page, taken, carried };
      this.#add(record);
      if (page) this.#pages.set(page, record);
    }
    for (const record of this.#tabs.values()) {
      if (record.site && !known.has(record.tab)) this.#open(record);
    }
  }

  /** `remember` is called whenever `records()` differs from before. */
  onRecords(remember) {
    this.#remember = remember;
  }

  /** Everything `restore` needs. */
  records() {
    return [...this.#docs.values()].map(({ doc, tab, site, seq, page, taken, carried }) => ({ doc, tab, site, seq, page, taken, carried }));
  }

  /** The label stood in the document instead of a header. Only a document without one takes it. */
  labelled(tab, label) {
    const record = this.docOfTab(tab);
    if (record && record.state !== 'unlabelled') return record;
    return this.navigated(tab, label);
  }

  closed(tab) {
    this.#tabs.delete(tab);
    this.#ownWorkers.delete(tab);
    for (const record of [...this.#docs.values()].filter(record => record.tab === tab)) this.#forget(record);
  }

  /** The page in the tab is in the hands of a worker of its site's own, which does not let us in. */
  ownWorkerBegins(tab, site) {
    this.#ownWorkers.set(tab, site);
  }

  hasOwnWorker(tab, site) {
    return this.#ownWorkers.get(tab) === site;
  }

  docOfTab(tab) {
    return this.#tabs.get(tab) ?? null;
  }

  tabs() {
    return [...this.#tabs.keys()];
  }

  docsOfSite(site) {
    return [...this.#tabs.values()].filter(record => record.site === site);
  }

  /** Ties a page of `site`, by the secret its content script chose, to the document its tab shows. */
  tiePage(tab, site, page) {
    return this.#tie(this.#returned(tab, page) ?? this.#tabs.get(tab), site, page);
  }

  /** The same for a page that was loaded ahead in that frame. */
  tiePageAhead(tab, frame, site, page) {
    return this.#tie(this.#ahead.get(`${tab}.${frame}`), site, page);
  }

  #tie(record, site, page) {
    if (!record || record.site !== site) return null;
    record.page = page;
    this.#pages.set(page, record);
    this.#pageWaiters.get(page)?.();
    this.#remember();
    return record;
  }

  /**
   * The document of that page, or null; a page of another site is none. The page's first request may overtake the message that
   * ties it, so an unknown page is waited for.
   */
  async docOfPage(site, page) {
    await this.restored;
    if (!this.#pages.has(page) && this.docsOfSite(site).length) await this.#tied(page);
    const record = this.#pages.get(page);
    return record?.site === site ? record : null;
  }

  #tied(page) {
    if (this.#pageWaiters.size >= MAX_DOCUMENTS) return null;
    const before = this.#pageWaiters.get(page);
    return within(new Promise(resolve => {
      this.#pageWaiters.set(page, () => {
        before?.();
        resolve();
      });
    }), PAGE_WAIT_MS).finally(() => this.#pageWaiters.delete(page));
  }

  /** Bytes that came from the origin past the host. */
  took(record, bytes) {
    record.taken += bytes;
  }

  /** The host carries that file of the document, or says why not. */
  located(record, path, reason) {
    const before = record.carried;
    record.trouble = NOT_KEPT.includes(reason) ? reason : '';
    if (!reason && !record.paths.has(path)) {
      record.carried++;
      if (record.paths.size < MAX_CARRIED_PATHS) record.paths.add(path);
    }
    if (record.carried === before && !record.trouble) return;
    this.#remember();
    for (const listener of this.#carriedListeners) listener(record);
  }

  /** False once the tab has moved on from the document. */
  isOpen(record) {
    return this.#tabs.get(record.tab) === record;
  }

  /** Sets the visitor's choice; resolves to the zone now in force. */
  async setZone(site, zone) {
    const { zone: now } = await this.#host.request('site.zone', { site, zone });
    await this.#reopen(site);
    return now;
  }

  /** Sets the zone of sites without a choice; resolves when all open pages follow. */
  async setDefaultZone(zone) {
    await this.#host.setDefaultZone(zone);
    await Promise.all([...this.#docs.values()].map(record => record.opened));
  }

  /** What the host knows of the site and of one document's bytes. */
  status(site, doc) {
    return this.#host.request('site.status', doc ? { site, doc } : { site });
  }

  /** A page the visitor went back to, which the browser had kept alive: it never loads again, so it has no new headers. */
  #returned(tab, page) {
    const record = this.#pages.get(page);
    if (record?.tab !== tab) return null;
    this.#add(record);
    if (record.state === 'no-host') this.#open(record);
    return record;
  }

  #newRecord(tab, label) {
    return newRecord(`${this.#prefix}.${tab}.${++this.#count}`, tab, label);
  }

  #add(record) {
    this.#tabs.set(record.tab, record);
    this.#keep(record);
  }

  #keep(record) {
    this.#docs.delete(record.doc);
    this.#docs.set(record.doc, record);
    this.#remember();
    // A Map keeps the order of insertion: the first is the oldest.
    if (this.#docs.size > MAX_DOCUMENTS) this.#forget(this.#docs.values().next().value);
  }

  #forget(record) {
    this.#docs.delete(record.doc);
    this.#pages.delete(record.page);
    if (this.#tabs.get(record.tab) === record) this.#tabs.delete(record.tab);
    this.#remember();
    if (record.site && this.#host.ready) this.#host.request('doc.close', { doc: record.doc }).catch(() => {});
  }

  #open(record) {
    if (!this.#host.ready) {
      record.state = 'no-host';
      this.#host.connect();
      return;
    }
    if (record.state !== 'ready') record.state = 'opening';
    record.opened = this.#askOpen(record);
    record.patience = within(record.opened, OPEN_WAIT_MS);
  }

  async #askOpen(record) {
    const { site, seq, doc } = record;
    try {
      applyOpen(record, await this.#host.request('site.open', { site, seq, doc }, { timeoutMs: OPEN_TIMEOUT_MS }));
    } catch (error) {
      Object.assign(record, { state: this.#host.ready ? 'failed' : 'no-host', reason: error.code ?? 'failed' });
    }
    this.#changed(site);
  }

  /** Asks again about the documents of `site`, or of all sites. */
  #reopen(site) {
    const records = [...this.#docs.values()].filter(record => record.site && (!site || record.site === site));
    for (const record of records) this.#open(record);
    return Promise.all(records.map(record => record.opened));
  }

  #hostState(state) {
    const labelled = [...this.#docs.values()].filter(record => record.site);
    for (const record of labelled) {
      record.state = 'no-host';
      if (state === 'ready' && this.#tabs.get(record.tab) === record) this.#open(record);
    }
    for (const site of new Set(labelled.map(record => record.site))) this.#changed(site);
  }

  /** What could not be opened perhaps can be now: the clock has been set, the network is back, the disk has room. */
  #tryAgain() {
    for (const record of this.#tabs.values()) if (record.site && record.state === 'failed') this.#open(record);
  }

  #hostEvent(message) {
    if (message.event === 'site.changed' && typeof message.site === 'string') this.#reopen(message.site);
  }

  #changed(site) {
    for (const listener of this.#listeners) listener(site);
  }
}

function newRecord(doc, tab, label) {
  return {
    doc, tab,
    site: label?.site ?? null,
    seq: label?.seq ?? 0,
    state: label ? 'opening' : 'unlabelled',
    zone: null, chosen: false, reason: '', version: '', bases: [],
    opened: Promise.resolve(),
    /** Resolved when no request should wait for `opened` any longer. */
    patience: Promise.resolve(),
    page: null,
    taken: 0,
    carried: 0, paths: new Set(), trouble: '',
  };
}

/** Takes over the host's answer to site.open; an answer out of form is a failure, never half a success. */
function applyOpen(record, answer) {
  const reason = typeof answer.reason === 'string' ? answer.reason.slice(0, 64) : '';
  record.zone = ZONES.includes(answer.zone) ? answer.zone : null;
  record.chosen = ZONES.includes(answer.chosen);
  if (answer.state !== 'ready') {
    Object.assign(record, { state: answer.state === 'off' ? 'off' : 'failed', reason });
    return;
  }
  const seqFits = Number.isInteger(answer.seq) && answer.seq >= 1 && answer.seq <= MAX_SEQ && (!record.seq || record.seq === answer.seq);
  if (!record.zone || record.zone === 'off' || !seqFits || !areBases(answer.bases)) {
    Object.assign(record, { state: 'failed', reason: 'bad-answer' });
    return;
  }
  const version = typeof answer.version === 'string' ? answer.version.slice(0, 64) : '';
  Object.assign(record, { state: 'ready', reason: '', seq: answer.seq, version, bases: answer.bases });
}

function areBases(bases) {
  return Array.isArray(bases) && bases.length >= 1 && bases.length <= MAX_BASES && bases.every(base => isPath(base) && base.endsWith('/'));
}
