// What is wrong and what to do about it, as background/problems.js found it, in the visitor's words.
import { api } from '../common/api.js';
import { make } from './dom.js';
import { formatLength, text } from './text.js';

/** {title, help} of one problem. */
export function problemTexts({ title, help, values }) {
  return { title: text(title, ...values.map(formatLength)), help: text(help) };
}

/**
 * Shows the problems in `root`, which is left alone while they stay the same. `retry` runs for the button of one that has it;
 * `check`: those of the computer offer to have it examined.
 */
export function drawProblems(root, problems, retry, { check = true } = {}) {
  const key = JSON.stringify(problems);
  if (root.dataset.key === key) return;
  root.dataset.key = key;
  root.replaceChildren(...problems.map(problem => notice(problem, retry, check && isOfComputer(problem))));
}

const isOfComputer = ({ id, sign }) => sign !== 'note' && !id.startsWith('release-');

function notice(problem, retry, check) {
  const { title, help } = problemTexts(problem);
  const again = make('button', { type: 'button', className: 'retry' }, text('retry'));
  again.addEventListener('click', retry);
  const examine = make('button', { type: 'button', className: 'check' }, text('checkInstallation'));
  examine.addEventListener('click', () => api.tabs.create({ url: api.runtime.getURL('doctor/doctor.html') }));
  const buttons = [problem.retry && again, check && examine].filter(Boolean);
  return make('section', { className: `notice ${problem.sign}`, dataset: { problem: problem.id } },
    make('h2', {}, title), make('p', {}, help), problem.detail ? make('p', { className: 'quiet' }, problem.detail) : null, buttons.length ? make('p', { className: 'buttons' }, ...buttons) : null);
}
