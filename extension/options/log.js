// The log of transfers: what was fetched from whom and given to whom, newest first. It follows what happens, by asking every two
// seconds while it is in front; what sites and other visitors are called goes in as text only.
import { siteOf } from '../common/paths.js';
import { ask } from '../ui/ask.js';
import { confirmed } from '../ui/confirm.js';
import { at, make, setText } from '../ui/dom.js';
import { makeSwitch } from '../ui/switch.js';
import { formatBytes, formatNumber, formatTime, plain, plural, text } from '../ui/text.js';
import { isoTime, toCsv, toJson } from './formats.js';
import { readAll, readNewest } from './lines.js';

const PART = 100;
const REFRESH_MS = 2000;
/** A screen reader hears of new lines no more often. */
const NEWS_MS = 10000;
const KINDS = { cache: 'sourceCache', peers: 'sourcePeers', supernode: 'sourceSuperNode', origin: 'sourceOrigin', shared: 'kindShared' };
const WHY = { setting: 'logOffSetting', disk: 'logOffDisk', supernode: 'logOffSuperNode' };
const EXPORTS = { csv: { write: toCsv, type: 'text/csv;charset=utf-8' }, json: { write: toJson, type: 'application/json' } };

export class LogView {
  #filter = {};
  #wanted = PART;
  #lines = [];
  #why = '';
  #reading = null;
  #again = false;
  #sites = [];
  #newsTime = 0;
  #news = 0;
  #saving = false;
  #follow = makeSwitch('log-follow', text('logFollow'), text('logFollowHelp'));
  #none = makeSwitch('log-none', text('logNone'), text('logNoneHelp'));

  constructor() {
    for (const { label } of [this.#follow, this.#none]) at('log-switches').append(make('div', { className: 'setting' }, label));
    this.#follow.input.checked = true;
    this.#none.input.addEventListener('change', () => this.#keepNone());
    at('filters').addEventListener('submit', event => event.preventDefault());
    at('filter-kind').addEventListener('change', () => this.#narrow());
    at('filter-site').addEventListener('change', () => this.#narrow());
    at('filter-site').addEventListener('input', event => this.#chosen(event.target.value) && this.#narrow());
    at('more-lines').addEventListener('click', () => this.#more());
    at('clear-log').addEventListener('click', () => this.#clear());
    for (const format of Object.keys(EXPORTS)) at(`export-${format}`).addEventListener('click', () => this.#export(format));
    this.#read();
    setInterval(() => this.#follow.input.checked && !document.hidden && !this.#reading && this.#read(), REFRESH_MS);
  }

  /** `settings` of the answer to "settings.state". */
  refresh({ settings }) {
    const known = settings?.no_log !== undefined;
    this.#none.input.disabled = !known;
    if (known && !this.#none.input.dataset.busy) this.#none.input.checked = settings.no_log === 1;
  }

  /** The sites that the field offers. */
  know(sites) {
    if (sites.join() === this.#sites.join()) return;
    this.#sites = sites;
    at('filter-sites').replaceChildren(...sites.map(site => make('option', { value: nameOf(site) })));
  }

  // --- reading

  /** One at a time; whoever asks meanwhile waits for one more. */
  #read() {
    this.#again = true;
    this.#reading ??= this.#readOn().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readOn() {
    while (this.#again) {
      this.#again = false;
      await this.#readOnce();
    }
  }

  async #readOnce() {
    const filter = this.#filter;
    try {
      const before = this.#lines;
      const { lines, why } = await readNewest(page => ask('log.page', { ...filter, ...page }), before, this.#wanted);
      if (filter !== this.#filter) return;
      this.#lines = lines;
      this.#why = why;
      setText(at('log-error'), '');
      if (before.length) this.#tellNews(lines.findIndex(({ n }) => n <= before[0].n));
    } catch (error) {
      setText(at('log-error'), text('notKnown', error.message));
    }
    this.#draw();
  }

  #tellNews(number) {
    this.#news += Math.max(0, number);
    if (this.#news === 0 || Date.now() < this.#newsTime + NEWS_MS) return;
    this.#newsTime = Date.now();
    setText(at('log-news'), plural('logNews', this.#news));
    this.#news = 0;
  }

  /** Begins again with what the fields say. */
  #narrow() {
    const site = siteOfWords(at('filter-site').value, this.#sites);
    at('filter-site').setAttribute('aria-invalid', String(site === null));
    setText(at('filter-error'), site === null ? text('logNoSite') : '');
    if (site === null) return;
    const kind = at('filter-kind').value;
    const filter = { ...(site && { site }), ...(kind && { kind }) };
    if (JSON.stringify(filter) === JSON.stringify(this.#filter)) return;
    this.#filter = filter;
    this.#begin();
  }

  #begin() {
    this.#lines = [];
    this.#wanted = PART;
    this.#news = 0;
    setText(at('log-news'), '');
    setText(at('log-said'), '');
    return this.#read();
  }

  /** One of the offered sites, or none: there is nothing more to type. */
  #chosen(words) {
    return words === '' || this.#sites.some(site => nameOf(site) === words);
  }

  async #more() {
    const next = Math.min(this.#wanted, this.#lines.length);
    this.#wanted += PART;
    await this.#read();
    // The button has moved on, or gone: a screen reader goes on at the first of the new lines.
    const row = at('log-lines').children[next];
    if (!row) return;
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
  }

  // --- drawing

  #draw() {
    const shown = this.#lines.slice(0, this.#wanted);
    const more = this.#lines.length > this.#wanted;
    drawLines(at('log-lines'), shown);
    at('log-table').hidden = shown.length === 0;
    at('more-lines').hidden = !more;
    setText(at('more-lines'), text('showMore', formatNumber(PART)));
    setText(at('log-count'), shown.length === 0 ? '' : more ? text('logNewest', formatNumber(shown.length)) : plural('logLines', shown.length));
    at('log-off').hidden = this.#why === '';
    setText(at('log-off').firstElementChild, this.#why && text(WHY[this.#why]));
    const known = at('log-error').textContent === '';
    at('log-empty').hidden = shown.length > 0 || !known || this.#why !== '';
    setText(at('log-empty'), text(Object.keys(this.#filter).length ? 'logNoneFound' : 'logEmpty'));
    for (const id of ['export-csv', 'export-json', 'clear-log']) at(id).disabled = shown.length === 0;
  }

  // --- what the visitor does

  async #keepNone() {
    const { input } = this.#none;
    input.dataset.busy = 'true';
    try {
      await ask('settings.set', { settings: { no_log: Number(input.checked) } });
      setText(at('log-error'), '');
    } catch (error) {
      input.checked = !input.checked;
      setText(at('log-error'), text('notChanged', error.message));
    }
    delete input.dataset.busy;
    await this.#read();
  }

  async #clear() {
    const { site } = this.#filter;
    const title = site ? text('clearTitleSite', nameOf(site)) : text('clearTitle');
    if (!await confirmed({ title, help: text('clearHelp'), yes: text('clearYes') })) return;
    try {
      await ask('log.clear', { site });
      await this.#begin();
      setText(at('log-said'), text('cleared'));
    } catch (error) {
      setText(at('log-error'), text('notChanged', error.message));
    }
  }

  async #export(format) {
    const { write, type } = EXPORTS[format];
    const filter = this.#filter;
    if (this.#saving) return;
    this.#saving = true;
    try {
      const lines = await readAll(page => ask('log.page', { ...filter, ...page }), number => setText(at('log-said'), plural('exporting', number)));
      save(`fringe-log-${isoTime(Date.now() / 1000).slice(0, 10)}.${format}`, new Blob([write(lines)], { type }));
      setText(at('log-said'), plural('exported', lines.length));
      setText(at('log-error'), '');
    } catch (error) {
      setText(at('log-said'), '');
      setText(at('log-error'), text('notExported', error.message));
    }
    this.#saving = false;
  }
}

const nameOf = site => site.replace(/^https:\/\//, '');

/** The site that is meant: '' for all, null when it is none. */
function siteOfWords(words, known) {
  const typed = words.trim().toLowerCase();
  if (!typed) return '';
  const site = known.find(each => nameOf(each) === typed) ?? siteOf(typed.includes('://') ? typed : `https://${typed}`);
  // Not every browser refuses what can be no name of a host.
  return site && /^[\w.:[\]-]+$/.test(new URL(site).host) ? site : null;
}

/** Rows that are there already stay as they are: a screen reader may be in the middle of them. */
function drawLines(body, lines) {
  const wanted = new Set(lines.map(keyOf));
  for (const row of [...body.children]) if (!wanted.has(row.dataset.key)) row.remove();
  let next = body.firstElementChild;
  for (const line of lines) {
    if (next?.dataset.key === keyOf(line)) next = next.nextElementSibling;
    else body.insertBefore(row(line), next);
  }
}

const keyOf = ({ n, time, path }) => `${n} ${time} ${path}`;

function row(line) {
  const { time, kind, site, path, bytes, size, peer } = line;
  const when = isoTime(time);
  const cell = (properties, ...children) => make('td', { role: 'cell', ...properties }, ...children);
  return make('tr', { role: 'row', dataset: { key: keyOf(line), n: line.n } },
    cell({ className: 'when number' }, make('time', { dateTime: when }, when ? formatTime(time) : '–')),
    cell({ className: 'kind' }, make('i', { className: `dot of-${kind}` }), text(KINDS[kind])),
    cell({ className: 'file' }, make('bdi', { className: 'name' }, plain(nameOf(site))), make('small', {}, make('bdi', {}, plain(path)))),
    cell({ className: 'bytes number' }, formatBytes(bytes), bytes < size ? make('small', {}, text('bytesOf', formatBytes(size))) : null),
    cell({ className: 'peer' }, make('bdi', {}, plain(peer))));
}

function save(name, blob) {
  const url = URL.createObjectURL(blob);
  make('a', { href: url, download: name }).click();
  // The browser reads it after the click, at a time that nobody tells.
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
