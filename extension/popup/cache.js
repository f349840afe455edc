// The cache: how much is kept on this computer.
import { make, setText } from '../ui/dom.js';
import { formatBytes, plural, text } from '../ui/text.js';

export class CacheView {
  #size = make('p', { className: 'number' });
  #files = make('p', { className: 'quiet' });

  constructor(panel) {
    panel.append(make('section', { className: 'card', 'aria-labelledby': 'cache-title' },
      make('h2', { id: 'cache-title' }, text('cacheTitle')), this.#size, this.#files));
  }

  show() {}

  refresh({ cache }) {
    setText(this.#size, cache ? formatBytes(cache.bytes) : '–');
    setText(this.#files, cache ? plural('files', cache.files) : '');
  }
}
