// Asks the visitor "are you sure?" in the page itself: a dialog that Escape leaves, with the harmless button in front.
import { make } from './dom.js';
import { text } from './text.js';

/** Resolves to true when the visitor says yes. `title`, `help` and `yes` are texts. */
export function confirmed({ title, help, yes }) {
  const dialog = make('dialog', { 'aria-labelledby': 'confirm-title', 'aria-describedby': 'confirm-help' },
    make('form', { method: 'dialog' }, make('h2', { id: 'confirm-title' }, title), make('p', { id: 'confirm-help' }, help),
      make('p', { className: 'buttons' }, make('button', { value: '', autofocus: true }, text('cancel')), make('button', { value: 'yes', className: 'danger' }, yes))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener('close', () => {
    dialog.remove();
    resolve(dialog.returnValue === 'yes');
  }));
}
