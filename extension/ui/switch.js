// A switch with its name and what it does, as look.css draws it.
import { make } from './dom.js';

/** {label, input}: `label` is the element to put somewhere, `input` the checkbox in it. */
export function makeSwitch(id, name, help) {
  const input = make('input', { id, type: 'checkbox', role: 'switch', 'aria-labelledby': `${id}-label`, 'aria-describedby': `${id}-help` });
  const words = make('span', {}, make('span', { id: `${id}-label` }, name), make('small', { id: `${id}-help` }, help));
  return { label: make('label', { className: 'switch' }, words, input), input };
}
