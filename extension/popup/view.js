// Draws what the background knows (background/popup.js) into the popup.
import { formatBytes, text } from './format.js';

const SOURCES = ['cache', 'peers', 'origin'];
const TROUBLES = { missing: 'hostMissing', 'wrong-version': 'hostWrongVersion', crashed: 'hostCrashed' };
const at = id => document.getElementById(id);

/** Texts of the document that never change. */
export function translate() {
  document.documentElement.lang = text('@@ui_locale').replace('_', '-');
  for (const element of document.querySelectorAll('[data-i18n]')) element.textContent = text(element.dataset.i18n);
}

/** `siteName` is the tab's host name, '' for the browser's own pages. */
export function draw({ host, site, page }, siteName) {
  drawHost(host);
  drawSite(host, site, siteName);
  // Without the host nobody counted, and noughts would mislead.
  const counted = Boolean(page) && host.state === 'ready' && (site.state === 'ready' || page.files > 0);
  at('page').hidden = !counted;
  if (counted) drawPage(page);
}

function drawHost({ state, detail, version }) {
  const trouble = TROUBLES[state];
  at('trouble').hidden = !trouble;
  if (!trouble) return setText('host', state === 'ready' ? text('hostReady', version) : text('hostConnecting'));
  setText('host', '');
  setText('trouble-title', text(trouble));
  setText('trouble-help', text(`${trouble}Help`));
  setText('trouble-detail', detail);
}

function drawSite(host, site, siteName) {
  at('site').hidden = !site && !siteName;
  setText('site-name', site ? new URL(site.site).host : siteName);
  setText('site-state', site ? siteState(site) : text('siteUnsupported'));
  at('zones').hidden = !site;
  at('zones').disabled = host.state !== 'ready';
  for (const input of document.querySelectorAll('input[name=zone]')) input.checked = input.value === site?.zone;
}

function siteState({ state, seq, version, reason }) {
  if (state === 'ready') return version ? text('siteReady', version, seq) : text('siteReadyNumber', seq);
  if (state === 'opening') return text('siteOpening');
  if (state === 'off') return text('siteOff');
  if (state === 'no-host') return text('siteNoHost');
  return text(`reason_${reason.replaceAll('-', '_')}`) || text('reason_failed');
}

function drawPage(page) {
  const total = SOURCES.reduce((sum, source) => sum + page[source], 0);
  for (const source of SOURCES) {
    setText(`bytes-${source}`, formatBytes(page[source]));
    at('bar').querySelector(`.${source}`).style.width = `${total ? 100 * page[source] / total : 0}%`;
  }
  at('bar').setAttribute('aria-label', text('barLabel', ...SOURCES.map(source => formatBytes(page[source]))));
}

/** Leaves equal text alone, or a screen reader would repeat it at each refresh. */
function setText(id, value) {
  if (at(id).textContent !== value) at(id).textContent = value;
}
