// The popup: asks the background once a second while it is open, and switches the site's zone.
import { api } from '../common/api.js';
import { siteOf } from '../common/paths.js';
import { text } from './format.js';
import { draw, translate } from './view.js';

const REFRESH_MS = 1000;
const zoneError = document.getElementById('zone-error');
let site = null;
let choosing = false;

/** The tab in front, or the one named in the address ("#tab=5") when the popup is opened as a page of its own. */
async function findTab() {
  const named = /^#tab=(\d+)$/.exec(location.hash);
  if (named) return api.tabs.get(Number(named[1]));
  const [tab] = await api.tabs.query({ active: true, currentWindow: true });
  return tab;
}

async function refresh() {
  const tab = await findTab();
  const state = await api.runtime.sendMessage({ type: 'popup.state', tab: tab.id });
  // Drawing now would show the old choice for a moment.
  if (choosing) return;
  site = state.site?.site ?? null;
  draw(state, siteOf(tab.url) ? new URL(tab.url).host : '');
  document.body.dataset.drawn = 'true';
}

async function chooseZone(zone) {
  choosing = true;
  const answer = await api.runtime.sendMessage({ type: 'popup.zone', site, zone });
  choosing = false;
  zoneError.textContent = answer.error ? text('zoneFailed', answer.text) : '';
  await refresh();
}

async function retry() {
  await api.runtime.sendMessage({ type: 'popup.retry' });
  await refresh();
}

translate();
document.getElementById('zones').addEventListener('change', event => chooseZone(event.target.value));
document.getElementById('retry').addEventListener('click', retry);
await refresh();
setInterval(refresh, REFRESH_MS);
