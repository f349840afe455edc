// A number with its unit, left empty for "no limit" (or whatever `placeholder` says).
import { make } from './dom.js';
import { text } from './text.js';

/**
 * `unit` is how many bytes one of the field's is, `least` the smallest number of bytes. `given(bytes)` runs for a good value (0: left
 * empty), `refused()` for any other. Answers {row, draw(bytes)}; what is being edited stays as it is.
 */
export function makeField({ id, label, unit, unitText, least, placeholder = 'noLimit', given, refused }) {
  const input = make('input', { id, type: 'number', min: 0, step: 'any', inputMode: 'decimal', placeholder: text(placeholder), 'aria-describedby': `${id}-unit` });
  const row = make('div', { className: 'setting' }, make('div', { className: 'row' }, make('label', { for: id }, text(label)),
    make('span', { className: 'field' }, input, make('span', { id: `${id}-unit`, className: 'quiet' }, text(unitText)))));
  input.addEventListener('change', () => {
    const value = Math.round(Number(input.value) * unit);
    const good = input.validity.valid && (value === 0 || value >= least) && Number.isSafeInteger(value);
    input.setAttribute('aria-invalid', String(!good));
    if (good) given(value);
    else refused();
  });
  const draw = value => {
    const shown = value ? String(value / unit) : '';
    if (document.activeElement !== input && input.getAttribute('aria-invalid') !== 'true' && input.value !== shown) input.value = shown;
  };
  return { row, draw };
}
