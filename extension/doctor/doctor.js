// The report of `fringe doctor` in the browser; and, when the host cannot even be started, what doctor cannot say.
import { ask } from '../ui/ask.js';
import { at, make, setText } from '../ui/dom.js';
import { drawProblems } from '../ui/problems.js';
import { text, translate } from '../ui/text.js';

const SUMMARIES = { ok: 'checkAllWell', warn: 'checkSomeWarn', fail: 'checkSomeFail' };
const MARKS = { ok: 'checkOk', warn: 'checkWarn', fail: 'checkFail' };
const COMMANDS = 'installer/install\nfringe doctor';

async function examine() {
  at('again').disabled = true;
  setText(at('copied'), '');
  setText(at('summary'), text('checkRunning'));
  try {
    draw(await ask('doctor.examine'));
  } catch (error) {
    setText(at('summary'), error.message);
  }
  at('again').disabled = false;
  document.body.dataset.drawn = 'true';
}

function draw({ report, problems }) {
  at('report').hidden = at('copy').hidden = !report;
  at('by-hand').hidden = Boolean(report);
  drawProblems(at('problems'), problems, examine, { check: false });
  setText(at('summary'), text(report ? SUMMARIES[report.status] : 'checkNoHost'));
  setText(at('commands'), COMMANDS);
  setText(at('text'), report?.text ?? '');
  at('lines').replaceChildren(...(report?.lines ?? []).map(describe));
}

function describe({ area, status, seen, next }) {
  const what = next ? make('p', { className: 'next' }, make('span', { className: 'spoken', lang: document.documentElement.lang }, text('checkNext')), next) : null;
  return make('li', { className: status },
    make('span', { className: 'mark', lang: document.documentElement.lang }, text(MARKS[status])), make('div', {}, make('h3', {}, area), make('p', {}, seen), what));
}

async function copy() {
  try {
    await navigator.clipboard.writeText(at('text').textContent);
    setText(at('copied'), text('checkCopied'));
  } catch {
    // Where the browser does not allow it: shown and selected, so that the visitor can.
    at('text').closest('details').open = true;
    getSelection().selectAllChildren(at('text'));
    setText(at('copied'), text('checkSelected'));
  }
}

translate();
document.title = text('checkTitle');
at('copy').addEventListener('click', copy);
at('again').addEventListener('click', examine);
await examine();
