// The sites that the host knows, and what of them is in its cache. A site stands here by its name only: what the host says of it
// is checked.
import { MAX_SEQ } from '../common/limits.js';
import { isSite } from '../common/paths.js';
import { ZONES } from './host.js';
import { numberOf, word } from './settings.js';

const NOTHING = { bytes: 0, files: 0, lastUsed: 0, keep: false, quota: 0, down: 0, up: 0 };

export function answerKnownSites({ host, messages }) {
  messages.on('sites.list', { from: 'ui', handle: () => list(host) });
  messages.on('cache.clear', {
    from: 'ui',
    check: ({ site }) => site === undefined || isSite(site),
    handle: async ({ site }) => {
      const { files, bytes, in_use: inUse } = await host.request('cache.clear', site === undefined ? {} : { site });
      return { files: numberOf(files), bytes: numberOf(bytes), inUse: numberOf(inUse) };
    },
  });
  messages.on('cache.keep', {
    from: 'ui',
    check: ({ site, keep }) => isSite(site) && typeof keep === 'boolean',
    handle: ({ site, keep }) => change(host, 'cache.keep', { site, keep }),
  });
  messages.on('cache.quota', {
    from: 'ui',
    check: ({ site, quota }) => isSite(site) && Number.isSafeInteger(quota) && quota >= 0,
    handle: ({ site, quota }) => change(host, 'cache.quota', { site, quota }),
  });
}

async function change(host, type, fields) {
  const { keep, quota } = await host.request(type, fields);
  return { keep: keep === true, quota: numberOf(quota) };
}

/** {sites, cache}; `cache` is null where the host does not tell. */
async function list(host) {
  const [{ sites }, cache] = await Promise.all([host.request('sites'), host.request('cache').catch(() => null)]);
  const known = new Map((Array.isArray(sites) ? sites : []).filter(each => isSite(each?.site)).map(each => [each.site, { ...describe(each), ...NOTHING }]));
  for (const each of Array.isArray(cache?.sites) ? cache.sites : []) {
    if (!isSite(each?.site)) continue;
    known.set(each.site, { ...(known.get(each.site) ?? describe({ site: each.site })), ...describeContent(each) });
  }
  return { sites: [...known.values()], cache: cache && describeCache(cache) };
}

function describe({ site, zone, chosen, state, life, seq, version }) {
  return {
    site,
    zone: ZONES.includes(zone) ? zone : 'off',
    chosen: ZONES.includes(chosen),
    state: word(state),
    life: word(life),
    seq: Number.isSafeInteger(seq) && seq >= 0 && seq <= MAX_SEQ ? seq : 0,
    version: word(version),
  };
}

function describeContent({ bytes, files, last_used: lastUsed, keep, quota, down, up }) {
  return {
    bytes: numberOf(bytes), files: numberOf(files), lastUsed: numberOf(lastUsed), keep: keep === true, quota: numberOf(quota), down: numberOf(down), up: numberOf(up),
  };
}

/** `quota` 0 stands for none. */
function describeCache({ bytes, files, quota, quota_chosen: chosen, quota_lowered: lowered, disk_free: free, going }) {
  return {
    bytes: numberOf(bytes), files: numberOf(files), quota: numberOf(quota), chosen: chosen === true, lowered: lowered === true, free: numberOf(free), going: numberOf(going),
  };
}
