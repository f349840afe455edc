// The popup's questions: what is known of one tab, and the switch for its site.
import { isSite } from '../common/paths.js';
import { ZONES } from './host.js';

export function answerPopup({ host, sites, messages }) {
  messages.on('popup.state', {
    from: 'popup',
    check: ({ tab }) => Number.isInteger(tab),
    handle: ({ tab }) => describe(host, sites, tab),
  });
  messages.on('popup.zone', {
    from: 'popup',
    check: ({ site, zone }) => isSite(site) && ZONES.includes(zone),
    handle: async ({ site, zone }) => ({ zone: await sites.setZone(site, zone) }),
  });
  messages.on('popup.retry', { from: 'popup', handle: () => host.connect() });
}

async function describe(host, sites, tab) {
  const record = sites.docOfTab(tab);
  const answer = {
    host: { state: host.state, detail: host.detail, version: host.info?.version ?? '' },
    site: null,
  };
  if (!record?.site) return answer;
  answer.site = pick(record, ['site', 'seq', 'state', 'zone', 'reason', 'version']);
  answer.page = await pageBytes(host, sites, record);
  return answer;
}

/** Bytes of this page by source. What the extension took from the origin itself is unknown to the host. */
async function pageBytes(host, sites, record) {
  const page = host.ready ? (await sites.status(record.site, record.doc).catch(() => null))?.page : null;
  const bytes = name => Number.isSafeInteger(page?.[name]) && page[name] >= 0 ? page[name] : 0;
  return {
    files: bytes('files') + record.taken.files,
    cache: bytes('cache'),
    peers: bytes('peers') + bytes('supernode'),
    origin: bytes('origin') + record.taken.bytes,
  };
}

function pick(object, names) {
  return Object.fromEntries(names.map(name => [name, object[name]]));
}
