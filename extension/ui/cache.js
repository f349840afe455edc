// What is kept on this computer, and the sites it belongs to. There may be thousands of sites: a part of the list is drawn, the
// field above it finds the others. What is done to one site's files stands in its row, opened on demand.
import { ask } from './ask.js';
import { confirmed } from './confirm.js';
import { at, make, setText } from './dom.js';
import { makeField } from './field.js';
import { makeSwitch } from './switch.js';
import { formatAgo, formatBytes, formatNumber, plural, text } from './text.js';

const PART = 20;
const REFRESH_MS = 3000;
/** While files are being removed, which is to be seen. */
const GOING_MS = 500;
const LEAST = 1e6;
const ZONES = [['default', 'zoneAll'], ['off', 'zoneOff'], ['fetch', 'zoneFetch'], ['share', 'zoneShare']];

export class CacheView {
  #sites = [];
  #shown = PART;
  #open = '';
  #key = '';
  #timer = 0;
  #front = false;
  #most = 0;
  #failed = false;
  #listed;
  #quota;

  /** Puts two cards into `root`; `listed(sites)` runs when the list has come. */
  constructor(root, { listed = () => {} } = {}) {
    this.#listed = listed;
    this.#quota = makeField({
      id: 'cache-quota', label: 'cacheQuota', unit: 1e9, unitText: 'unitMonth', least: LEAST, placeholder: 'automatic',
      given: quota => this.#do('settings.set', { settings: { cache_quota: quota } }, 'cache-error'),
      refused: () => setText(at('cache-error'), text('quotaTooSmall', formatBytes(LEAST))),
    });
    root.append(...cards(this.#quota.row));
    at('find-site').addEventListener('input', () => this.#draw());
    at('more-sites').addEventListener('click', () => this.#more());
    at('clear-cache').addEventListener('click', () => this.#clear());
    at('site-list').addEventListener('change', event => this.#choose(event.target));
    at('site-list').addEventListener('click', event => event.target.closest('button')?.dataset.opens && this.#toggle(event.target.closest('button').dataset.opens));
  }

  /** The list is asked for only while it is in front: it may be long. */
  show(front) {
    this.#front = front;
    clearTimeout(this.#timer);
    if (front) this.#load();
  }

  refresh({ cache }) {
    setText(at('cache-size'), cache ? formatBytes(cache.bytes) : '–');
    setText(at('cache-files'), cache ? plural('files', cache.files) : '');
  }

  async #load({ force = false } = {}) {
    clearTimeout(this.#timer);
    let going = 0;
    try {
      const { sites, cache } = document.hidden ? { sites: null } : await ask('sites.list');
      if (sites) {
        this.#sites = sites.map(each => ({ ...each, name: each.site.replace(/^https:\/\//, '') })).sort(largestFirst);
        this.#listed(sites);
        this.#drawCache(cache);
        going = cache?.going ?? 0;
      }
      if (this.#failed) setText(at('list-error'), '');
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      setText(at('list-error'), text('notKnown', error.message));
    }
    this.#draw(force);
    clearTimeout(this.#timer);
    if (this.#front) this.#timer = setTimeout(() => this.#load(), going ? GOING_MS : REFRESH_MS);
  }

  #drawCache(cache) {
    at('cache-more').hidden = !cache;
    if (!cache) return;
    const { bytes, quota, chosen, lowered, going, files } = cache;
    this.#quota.draw(chosen ? quota : 0);
    at('cache-bar').parentElement.hidden = quota === 0;
    at('cache-bar').style.width = `${quota ? Math.min(100, 100 * bytes / quota) : 0}%`;
    setText(at('cache-of'), quota ? text(lowered ? 'cacheOfLowered' : 'cacheOf', formatBytes(bytes), formatBytes(quota)) : '');
    this.#most = going ? Math.max(this.#most, going) : 0;
    at('cache-going').hidden = going === 0;
    at('cache-going').max = this.#most || 1;
    at('cache-going').value = this.#most - going;
    if (going) setText(at('cache-said'), plural('cacheGoing', going));
    else if (at('cache-said').dataset.going) setText(at('cache-said'), text('cacheGone'));
    at('cache-said').dataset.going = going ? 'true' : '';
    at('clear-cache').disabled = files === 0;
  }

  /** Rows are not taken away under the visitor's hands, but for what these have just done: `force`. */
  #draw(force = false) {
    const words = at('find-site').value.trim().toLowerCase();
    const found = this.#sites.filter(({ name }) => name.includes(words));
    const part = found.slice(0, this.#shown);
    at('find-site').hidden = this.#sites.length <= 5;
    at('more-sites').hidden = found.length <= this.#shown;
    setText(at('site-count'), words ? plural('sitesFound', found.length) : plural('sitesKnown', found.length));
    setText(at('more-sites'), text('showMore', formatNumber(Math.min(PART, found.length - this.#shown))));
    const key = JSON.stringify([this.#open, part]);
    const held = at('site-list').contains(document.activeElement) ? document.activeElement : null;
    if (key === this.#key || (held && !force)) return;
    this.#key = key;
    at('site-list').replaceChildren(...part.map(each => this.#row(each)));
    const id = held?.id;
    if (id && at(id)) at(id).focus();
  }

  #more() {
    const next = this.#shown;
    this.#shown += PART;
    this.#draw();
    at('site-list').children[next]?.querySelector('select').focus();
  }

  #toggle(site) {
    this.#open = this.#open === site ? '' : site;
    this.#draw(true);
  }

  #row(each) {
    const open = this.#open === each.site;
    const button = make('button', { id: `more-${each.site}`, type: 'button', className: 'icon', dataset: { opens: each.site }, 'aria-expanded': String(open),
      'aria-label': text('filesOfSite', each.name) }, '⋯');
    return make('li', {}, make('div', { className: 'row' }, make('span', { className: 'about' }, make('span', { className: 'name' }, each.name), make('small', {}, release(each)),
      make('small', { className: 'kept' }, content(each)), make('small', { className: 'shared' }, shared(each))), zoneOf(each), button), open ? this.#panel(each) : null);
  }

  #panel({ site, name, keep, quota, files }) {
    const { label, input } = makeSwitch('keep-site', text('keepSite'), text('keepSiteHelp'));
    input.checked = keep;
    input.addEventListener('change', () => this.#do('cache.keep', { site, keep: input.checked }));
    const field = makeField({
      id: 'quota-site', label: 'quotaSite', unit: 1e6, unitText: 'unitMega', least: LEAST,
      given: value => this.#do('cache.quota', { site, quota: value }),
      refused: () => setText(at('list-error'), text('settingTooSmall', formatBytes(LEAST))),
    });
    field.draw(quota);
    const clear = make('button', { id: 'clear-site', type: 'button', className: 'danger', disabled: files === 0 }, text('clearSite'));
    clear.addEventListener('click', () => this.#clear({ site, name }));
    return make('div', { className: 'settings panel', role: 'group', 'aria-label': text('filesOfSite', name) }, make('div', { className: 'setting' }, label), field.row, clear);
  }

  #choose({ dataset: { site }, value }) {
    if (site) this.#do('popup.zone', { site, zone: value });
  }

  async #clear({ site, name } = {}) {
    const title = site ? text('clearSiteTitle', name) : text('clearCacheTitle');
    if (!await confirmed({ title, help: text(site ? 'clearSiteHelp' : 'clearCacheHelp'), yes: text('clearYes') })) return;
    const done = await this.#do('cache.clear', { site }, site ? 'list-error' : 'cache-error');
    if (!done) return;
    const { files, bytes, inUse } = done;
    const said = text('cacheFreed', plural('files', files), formatBytes(bytes));
    setText(at('cache-said'), inUse ? `${said} ${plural('cacheInUse', inUse)}` : said);
  }

  /** Asks for a change and shows what came of it; null when it was refused, which is said. */
  async #do(type, fields, where = 'list-error') {
    let answer = null;
    try {
      answer = await ask(type, fields);
      setText(at(where), '');
    } catch (error) {
      setText(at(where), text('notChanged', error.message));
    }
    await this.#load({ force: true });
    return answer;
  }
}

const largestFirst = (a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1);

function cards(quota) {
  const find = make('input', { id: 'find-site', type: 'search', 'aria-label': text('findSite'), placeholder: text('findSite'), hidden: true });
  return [
    make('section', { className: 'card', 'aria-labelledby': 'cache-title' },
      make('h3', { id: 'cache-title' }, text('cacheTitle')),
      make('p', { className: 'row' }, make('span', { id: 'cache-size', className: 'large number' }), make('span', { id: 'cache-files', className: 'quiet number' })),
      make('div', { id: 'cache-more', className: 'settings', hidden: true },
        make('div', { className: 'setting' }, make('div', { className: 'bar', 'aria-hidden': 'true' }, make('span', { id: 'cache-bar', className: 'of-used' })),
          make('p', { id: 'cache-of', className: 'quiet' })),
        quota,
        make('button', { id: 'clear-cache', type: 'button', className: 'danger' }, text('clearCache')),
        make('progress', { id: 'cache-going', 'aria-label': text('cacheTitle'), hidden: true }),
        make('p', { id: 'cache-said', className: 'quiet', role: 'status' })),
      make('p', { id: 'cache-error', className: 'error', role: 'alert' })),
    make('section', { className: 'card', 'aria-labelledby': 'sites-title' },
      make('div', { className: 'row' }, make('h3', { id: 'sites-title' }, text('sitesTitle')), make('span', { id: 'site-count', className: 'quiet number', role: 'status' })),
      find, make('ul', { id: 'site-list' }), make('button', { id: 'more-sites', type: 'button', hidden: true }),
      make('p', { id: 'list-error', className: 'error', role: 'alert' })),
  ];
}

function zoneOf({ site, name, zone, chosen }) {
  const select = make('select', { id: `zone-${site}`, 'aria-label': text('zoneOfSite', name), dataset: { site } },
    ...ZONES.map(([value, label]) => make('option', { value }, text(label))));
  select.value = chosen ? zone : 'default';
  return select;
}

function release({ seq, version, life }) {
  if (life === 'expired' || life === 'blocked') return text('siteUnusable');
  return version ? text('releaseShort', version) : seq ? text('releaseShort', seq) : text('siteNotOpened');
}

/** "12 MB, 3 files, yesterday, kept"; nothing when nothing is there. */
function content({ bytes, files, lastUsed, keep }) {
  const parts = files ? [formatBytes(bytes), plural('files', files), lastUsed && formatAgo(lastUsed)] : [];
  return [...parts, keep && text('keptSite')].filter(Boolean).join(' · ');
}

/** "3 MB from others · 1 MB to others": of this site, whenever it was. */
function shared({ down, up }) {
  return [down && text('sharedDown', formatBytes(down)), up && text('sharedUp', formatBytes(up))].filter(Boolean).join(' · ');
}
