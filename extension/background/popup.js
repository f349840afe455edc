// The popup's one question: what is known of the tab's site, of this page, and of the limits; and the switch for the site.
import { api } from '../common/api.js';
import { isSite, siteOf } from '../common/paths.js';
import { asksVisitor, troubled } from './badge.js';
import { ZONES } from './host.js';
import { problemsOf } from './problems.js';
import { describeSettings, numberOf, word } from './settings.js';

const CHOICES = [...ZONES, 'default'];
const SOURCES = ['cache', 'peers', 'supernode', 'origin'];

export function answerPopup({ host, sites, messages }) {
  messages.on('popup.state', {
    from: 'ui',
    check: ({ tab }) => Number.isInteger(tab),
    handle: ({ tab }) => describe(host, sites, tab),
  });
  messages.on('popup.zone', {
    from: 'ui',
    check: ({ site, zone }) => isSite(site) && CHOICES.includes(zone),
    handle: async ({ site, zone }) => ({ zone: await sites.setZone(site, zone) }),
  });
  messages.on('popup.retry', { from: 'ui', handle: () => host.connect() });
}

/** `tabId` 0 is the tab in front. */
async function describe(host, sites, tabId) {
  const settingsSoon = describeSettings(host);
  const tab = tabId ? await api.tabs.get(tabId).catch(() => null) : (await api.tabs.query({ active: true, lastFocusedWindow: true }))[0];
  const record = recordOf(sites, tab);
  const status = record && host.ready ? await sites.status(record.site, record.doc).catch(() => null) : null;
  const settings = await settingsSoon;
  const problems = problemsOf({
    host, site: record && { ...troubled(record), origin: word(status?.origin) },
    unseen: await isUnseen(sites, tab), ownWorker: sites.hasOwnWorker(tab?.id, siteOf(tab?.url)) && (!record || record.state === 'ready'),
  });
  const tabHost = siteOf(tab?.url) ? new URL(tab.url).host : '';
  return { ...settings, problems, tabHost, ...(record ? describeSite(host, record, status) : { site: null, page: null }) };
}

/** A tab that went on to the browser's own pages still has its last record. */
function recordOf(sites, tab) {
  const record = tab && sites.docOfTab(tab.id);
  return record?.site && siteOf(tab.url) === record.site ? record : null;
}

/** Its document came before this background ran: before the extension did, or an update of it. */
async function isUnseen(sites, tab) {
  await sites.restored;
  return Boolean(tab) && !sites.docOfTab(tab.id) && siteOf(tab.url) !== null;
}

function describeSite(host, record, status) {
  const { site, seq, state, zone, chosen, reason, version, carried } = record;
  return {
    site: { site, seq, state, zone, chosen, reason, version, asks: asksVisitor(host, record), ...describeStatus(status) },
    page: { files: carried, ...pageBytes(record, status?.page) },
  };
}

function describeStatus(status) {
  return {
    peers: numberOf(status?.peers),
    superNodesOnly: status?.release?.sharing === 'supernode-only',
    life: word(status?.life),
    uploaded: numberOf(status?.total?.uploaded),
    spared: numberOf(status?.spared?.shared),
  };
}

/** What the extension took from the origin itself is unknown to the host. */
function pageBytes(record, page) {
  const bytes = Object.fromEntries(SOURCES.map(source => [source, numberOf(page?.[source])]));
  return { ...bytes, origin: bytes.origin + record.taken };
}
