// What is kept on this computer, and the sites it belongs to. There may be thousands of sites: a part of the list is drawn, the
// field above it finds the others.
import { ask } from './ask.js';
import { at, make, setText } from './dom.js';
import { formatBytes, formatNumber, plural, text } from './text.js';

const PART = 20;
const REFRESH_MS = 3000;
const ZONES = [['default', 'zoneAll'], ['off', 'zoneOff'], ['fetch', 'zoneFetch'], ['share', 'zoneShare']];

export class CacheView {
  #sites = [];
  #shown = PART;
  #key = '';
  #timer = 0;
  #listed;

  /** Puts two cards into `root`; `listed(sites)` runs when the list has come. */
  constructor(root, { listed = () => {} } = {}) {
    this.#listed = listed;
    root.append(...cards());
    at('find-site').addEventListener('input', () => this.#draw());
    at('more-sites').addEventListener('click', () => this.#more());
    at('site-list').addEventListener('change', event => this.#choose(event.target));
  }

  /** The list is asked for only while it is in front: it may be long. */
  show(front) {
    clearInterval(this.#timer);
    if (!front) return;
    this.#load();
    this.#timer = setInterval(() => document.hidden || this.#load(), REFRESH_MS);
  }

  refresh({ cache }) {
    setText(at('cache-size'), cache ? formatBytes(cache.bytes) : '–');
    setText(at('cache-files'), cache ? plural('files', cache.files) : '');
  }

  async #load() {
    try {
      const { sites } = await ask('sites.list');
      this.#sites = sites.map(each => ({ ...each, name: each.site.replace(/^https:\/\//, '') })).sort((a, b) => (a.name < b.name ? -1 : 1));
      this.#listed(sites);
      setText(at('list-error'), '');
    } catch (error) {
      setText(at('list-error'), text('notKnown', error.message));
    }
    this.#draw();
  }

  #draw() {
    const words = at('find-site').value.trim().toLowerCase();
    const found = this.#sites.filter(({ name }) => name.includes(words));
    const part = found.slice(0, this.#shown);
    at('find-site').hidden = this.#sites.length <= 5;
    at('more-sites').hidden = found.length <= this.#shown;
    setText(at('site-count'), words ? plural('sitesFound', found.length) : plural('sitesKnown', found.length));
    setText(at('more-sites'), text('showMore', formatNumber(Math.min(PART, found.length - this.#shown))));
    const key = JSON.stringify(part);
    // Rows are not taken away under the visitor's hands.
    if (key === this.#key || at('site-list').contains(document.activeElement)) return;
    this.#key = key;
    at('site-list').replaceChildren(...part.map(row));
  }

  #more() {
    const next = this.#shown;
    this.#shown += PART;
    this.#draw();
    at('site-list').children[next]?.querySelector('select').focus();
  }

  async #choose(select) {
    try {
      await ask('popup.zone', { site: select.dataset.site, zone: select.value });
      setText(at('list-error'), '');
    } catch (error) {
      setText(at('list-error'), text('notChanged', error.message));
    }
  }
}

function cards() {
  const find = make('input', { id: 'find-site', type: 'search', 'aria-label': text('findSite'), placeholder: text('findSite'), hidden: true });
  return [
    make('section', { className: 'card', 'aria-labelledby': 'cache-title' },
      make('h3', { id: 'cache-title' }, text('cacheTitle')),
      make('p', { className: 'row' }, make('span', { id: 'cache-size', className: 'large number' }), make('span', { id: 'cache-files', className: 'quiet number' }))),
    make('section', { className: 'card', 'aria-labelledby': 'sites-title' },
      make('div', { className: 'row' }, make('h3', { id: 'sites-title' }, text('sitesTitle')), make('span', { id: 'site-count', className: 'quiet number', role: 'status' })),
      find, make('ul', { id: 'site-list' }), make('button', { id: 'more-sites', type: 'button', hidden: true }),
      make('p', { id: 'list-error', className: 'error', role: 'alert' })),
  ];
}

function row({ site, name, zone, chosen, seq, version, life }) {
  const select = make('select', { 'aria-label': text('zoneOfSite', name), dataset: { site } },
    ...ZONES.map(([value, label]) => make('option', { value }, text(label))));
  select.value = chosen ? zone : 'default';
  const release = life === 'expired' || life === 'blocked' ? text('siteUnusable') : version ? text('releaseShort', version) : seq ? text('releaseShort', seq) : text('siteNotOpened');
  return make('li', { className: 'row' }, make('span', {}, make('span', { className: 'name' }, name), make('small', {}, release)), select);
}
