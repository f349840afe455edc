// What came and went, over all sites.
import { make, setText } from './dom.js';
import { formatBytes, formatRate, text } from './text.js';

const ROWS = {
  'total-spared': ['totalSpared', ({ total }) => total && formatBytes(total.cache + total.peers + total.supernode)],
  'total-origin': ['totalOrigin', ({ total }) => total && formatBytes(total.origin)],
  'total-given': ['totalGiven', ({ total }) => total && formatBytes(total.uploaded)],
  rates: ['ratesNow', ({ rates }) => rates && text('upAndDown', formatRate(rates.upload), formatRate(rates.download))],
};

export class Totals {
  #values = new Map();

  /** Fills the card `root`. */
  constructor(root) {
    const list = make('dl');
    for (const [id, [label]] of Object.entries(ROWS)) {
      const value = make('dd', { id, className: 'number' });
      this.#values.set(id, value);
      list.append(make('div', { className: 'row' }, make('dt', {}, text(label)), value));
    }
    root.append(make('h3', { id: 'totals-title' }, text('totalsTitle')), list);
  }

  /** `state` is the answer to "settings.state", or that part of the popup's. */
  draw(state) {
    for (const [id, [, read]] of Object.entries(ROWS)) setText(this.#values.get(id), read(state) ?? '–');
  }
}
