// The popup: asks the background once a second while it is open, shows what it says, and passes on what the visitor changes.
import { api } from '../common/api.js';
import { ask } from '../ui/ask.js';
import { at, setText } from '../ui/dom.js';
import { drawHost } from '../ui/host.js';
import { text, translate } from '../ui/text.js';
import { drawSite } from './site.js';
import { Tabs } from './tabs.js';

const REFRESH_MS = 1000;
const DEFAULT_TEXTS = { off: 'chooseAsk', fetch: 'chooseFetch', share: 'chooseShare' };
const VIEWS = {
  site: drawSite,
  cache: state => more?.cache.refresh(state),
  limits: state => {
    more?.limits.draw(state);
    more?.totals.draw(state);
    setText(at('default-zone'), state.defaultZone ? text(DEFAULT_TEXTS[state.defaultZone]) : '–');
  },
};
let more = null;
let last = null;
let choosing = false;

/** `named` is the tab in the address ("#tab=5") when the popup is opened as a page of its own; 0 stands for the one in front. */
async function refresh() {
  draw(await api.runtime.sendMessage({ type: 'popup.state', tab: globalThis.named }));
}

function draw(state) {
  // Drawing now would show the old choice for a moment.
  if (choosing) return;
  last = state;
  drawHost(at('host'), state);
  more?.drawProblems(at('problems'), state.problems, retry);
  VIEWS[tabs.name](state);
}

async function chooseZone(zone) {
  choosing = true;
  try {
    await ask('popup.zone', { site: last.site.site, zone });
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

function openPage(open) {
  open();
  window.close();
}

/** The other views, which nobody sees yet. */
async function loadMore() {
  const { CacheView, SettingsForm, Totals, drawProblems } = await import('./more.js');
  more = { limits: new SettingsForm(at('limits')), totals: new Totals(at('totals')), cache: new CacheView(at('panel-cache')), drawProblems };
  more.cache.show(tabs.name === 'cache');
  draw(last);
  document.body.dataset.drawn = 'true';
}

translate();
const tabs = new Tabs(at('tabs'), name => {
  more?.cache.show(name === 'cache');
  if (last) draw(last);
});
tabs.choose('site');
at('zones').addEventListener('change', event => chooseZone(event.target.value));
at('zone-default').addEventListener('click', () => chooseZone('default'));
at('change-default').addEventListener('click', () => openPage(() => api.tabs.create({ url: api.runtime.getURL('welcome/welcome.html') })));
at('options').addEventListener('click', () => openPage(() => api.runtime.openOptionsPage()));
draw(await globalThis.firstState);
performance.mark('drawn');
await loadMore();
setInterval(refresh, REFRESH_MS);
