// Draws what the background knows of the tab's site and page (background/popup.js).
import { at, setAttribute, setText } from '../ui/dom.js';
import { formatBytes, formatNumber, plural, text } from '../ui/text.js';

const SOURCES = ['cache', 'peers', 'supernode', 'origin'];
const ZONE_TEXTS = { off: 'zoneOff', fetch: 'zoneFetch', share: 'zoneShare' };

/** `tabHost` is the tab's host name, '' for the browser's own pages. */
export function drawSite({ host, site, page, defaultZone, tabHost }) {
  setText(at('site-name'), site ? new URL(site.site).host : tabHost || text('siteNone'));
  setText(at('site-state'), site ? siteState(site) : text(tabHost ? 'siteUnsupported' : 'siteNoneHelp'));
  drawZones(host, site, defaultZone);
  // Without the host nobody counted, and noughts would mislead.
  const counted = Boolean(page) && host.state === 'ready' && (site.state === 'ready' || page.files > 0);
  at('page').hidden = !counted;
  if (counted) drawPage(site, page);
}

function drawZones(host, site, defaultZone) {
  const asks = Boolean(site?.asks);
  at('question').hidden = !asks;
  at('zones').hidden = !site;
  at('zones').disabled = host.state !== 'ready';
  at('zones').querySelector('.choices').classList.toggle('inline', !asks);
  for (const input of document.querySelectorAll('input[name=zone]')) input.checked = !asks && input.value === site?.zone;
  const shown = site && !asks && ZONE_TEXTS[site.zone];
  const help = shown ? text(`${shown}Help`) : '';
  setText(at('zone-help'), shown && !site.chosen ? text('zoneByDefault', help) : help);
  at('zone-default').hidden = !site?.chosen || site.zone === defaultZone || host.state !== 'ready';
  at('super-nodes').hidden = !site?.superNodesOnly;
}

function siteState({ state, seq, version, reason, asks, life }) {
  if (state === 'ready' && life === 'updating') return text('siteUpdating', version || seq);
  if (state === 'ready') return version ? text('siteReady', version, seq) : text('siteReadyNumber', seq);
  if (state === 'opening') return text('siteOpening');
  if (asks) return '';
  if (state === 'off') return text('siteOff');
  if (state === 'no-host') return text('siteNoHost');
  return reasonText(reason);
}

function reasonText(reason) {
  return text(`reason_${reason.replaceAll('-', '_')}`) || text('reason_failed');
}

function drawPage(site, page) {
  const total = SOURCES.reduce((sum, source) => sum + page[source], 0);
  for (const source of SOURCES) {
    setText(at(`bytes-${source}`), formatBytes(page[source]));
    at('bar').querySelector(`.of-${source}`).style.width = `${total ? 100 * page[source] / total : 0}%`;
  }
  at('bytes-supernode').parentElement.hidden = page.supernode === 0;
  setAttribute(at('bar'), 'aria-label', text('barLabel', ...SOURCES.map(source => formatBytes(page[source]))));
  setText(at('page-files'), plural('files', page.files));
  setText(at('peers'), formatNumber(site.peers));
  setText(at('site-given'), formatBytes(site.uploaded));
  setText(at('site-spared'), formatBytes(site.spared));
}
