// What is wrong and what to do about it, as background/problems.js found it, in the visitor's words.
import { make } from './dom.js';
import { formatLength, text } from './text.js';

/** {title, help} of one problem. */
export function problemTexts({ title, help, values }) {
  return { title: text(title, ...values.map(formatLength)), help: text(help) };
}

/** Shows the problems in `root`, which is left alone while they stay the same. `retry` runs for the button of one that has it. */
export function drawProblems(root, problems, retry) {
  const key = JSON.stringify(problems);
  if (root.dataset.key === key) return;
  root.dataset.key = key;
  root.replaceChildren(...problems.map(problem => notice(problem, retry)));
}

function notice(problem, retry) {
  const { title, help } = problemTexts(problem);
  const again = make('button', { type: 'button', className: 'retry' }, text('retry'));
  again.addEventListener('click', retry);
  return make('section', { className: `notice ${problem.sign}`, dataset: { problem: problem.id } },
    make('h2', {}, title), make('p', {}, help), problem.detail ? make('p', { className: 'quiet' }, problem.detail) : null, problem.retry ? again : null);
}
