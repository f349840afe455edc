// The options page: what the popup has, with room for all of it, and the log of transfers.
import { api } from '../common/api.js';
import { ask } from '../ui/ask.js';
import { CacheView } from '../ui/cache.js';
import { at, setText } from '../ui/dom.js';
import { drawHost } from '../ui/host.js';
import { drawProblems } from '../ui/problems.js';
import { SettingsForm } from '../ui/settings.js';
import { text, translate } from '../ui/text.js';
import { Totals } from '../ui/totals.js';
import { ZoneChoices } from '../ui/zone-choices.js';
import { LogView } from './log.js';

const REFRESH_MS = 2000;
let choosing = false;

async function refresh() {
  draw(await ask('settings.state'));
}

function draw(state) {
  drawHost(at('host'), state);
  drawProblems(at('problems'), state.problems, retry);
  // Drawing now would show the old choice for a moment.
  if (!choosing && state.defaultZone) choices.show(state.defaultZone);
  limits.draw(state);
  totals.draw(state);
  cache.refresh(state);
  log.refresh(state);
  document.body.dataset.drawn = 'true';
}

async function chooseDefault() {
  choosing = true;
  try {
    const { host } = await ask('settings.zone', { zone: choices.zone });
    setText(at('zone-said'), host.state === 'ready' ? '' : text('welcomeSavedLater'));
    setText(at('zone-error'), '');
  } catch (error) {
    setText(at('zone-error'), text('notChanged', error.message));
  }
  choosing = false;
  await refresh();
}

async function retry() {
  await api.runtime.sendMessage({ type: 'popup.retry' });
  await refresh();
}

translate();
document.title = text('optionsTitle');
const choices = new ZoneChoices(at('zones'));
const limits = new SettingsForm(at('limits'), { details: true });
const totals = new Totals(at('totals'));
const log = new LogView();
const cache = new CacheView(at('cache'), { listed: sites => log.know(sites.map(({ site }) => site)) });
at('zones').addEventListener('change', chooseDefault);
cache.show(true);
await refresh();
setInterval(() => document.hidden || refresh(), REFRESH_MS);
