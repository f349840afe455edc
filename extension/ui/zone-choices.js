// The three choices for all sites, as the first-run page asks for them and the options page shows them.
import { make } from './dom.js';
import { text } from './text.js';

const CHOICES = [['off', 'chooseAsk'], ['fetch', 'chooseFetch'], ['share', 'chooseShare']];

export class ZoneChoices {
  #inputs;

  /** Puts them into `root`; `ask` is chosen until `show` says otherwise. */
  constructor(root) {
    const labels = CHOICES.map(([value, title]) => {
      const id = `choice-${value}`;
      const input = make('input', { type: 'radio', name: 'zone', value, 'aria-describedby': id, checked: value === 'off' });
      return make('label', {}, input, make('span', {}, text(title)), make('small', { id }, text(`${title}Help`)));
    });
    root.append(make('div', { className: 'choices' }, ...labels));
    this.#inputs = labels.map(label => label.querySelector('input'));
  }

  get zone() {
    return this.#inputs.find(input => input.checked).value;
  }

  show(zone) {
    for (const input of this.#inputs) input.checked = input.value === zone;
  }
}
