// The first-run page: says what happens and asks once what shall hold for all sites. It may also be opened later.
import { api } from '../common/api.js';
import { ask } from '../ui/ask.js';
import { at, setText } from '../ui/dom.js';
import { drawProblems } from '../ui/problems.js';
import { text, translate } from '../ui/text.js';
import { ZoneChoices } from '../ui/zone-choices.js';

const REFRESH_MS = 2000;
const choices = new ZoneChoices(at('zones'));
let touched = false;

function draw({ host, problems, defaultZone }) {
  const ready = host.state === 'ready';
  setText(at('host-title'), text(ready ? 'hostReady' : 'hostConnecting'));
  setText(at('host-help'), ready ? text('hostReadyHelp', host.version) : '');
  at('host').hidden = problems.length > 0;
  at('host').classList.toggle('ready', ready);
  drawProblems(at('problems'), problems, retry);
  if (!touched && defaultZone) choices.show(defaultZone);
  document.body.dataset.drawn = 'true';
}

async function save(event) {
  event.preventDefault();
  try {
    const { host } = await ask('settings.zone', { zone: choices.zone });
    say(text(host.state === 'ready' ? 'welcomeSaved' : 'welcomeSavedLater'), false);
  } catch (error) {
    say(text('notChanged', error.message), true);
  }
}

function say(words, failed) {
  at('saved').classList.toggle('error', failed);
  setText(at('saved'), words);
}

async function retry() {
  await api.runtime.sendMessage({ type: 'popup.retry' });
  draw(await ask('settings.state'));
}

translate();
document.title = text('welcomeTitle');
at('choice').addEventListener('submit', save);
at('choice').addEventListener('change', () => {
  touched = true;
  say('', false);
});
draw(await ask('settings.state'));
setInterval(async () => draw(await ask('settings.state')), REFRESH_MS);
