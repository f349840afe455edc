// The visitor's limits, for popup and options page, and the zone of sites without a choice, which the first-run page asks for.
// The host keeps all of it, for every browser of this visitor.
import { api } from '../common/api.js';
import { ZONES } from './host.js';
import { problemsOf } from './problems.js';

const PENDING = 'pendingZone';
const NAME = /^[a-z_]{1,32}$/;
const MAX_NAMES = 32;
const MAX_PAUSE_MINUTES = 10080;

/** A promise of the zone that the host has not got yet, or ''. */
let pending = null;

export function answerSettings({ host, sites, messages }) {
  messages.on('settings.state', { from: 'ui', handle: () => describeSettings(host) });
  messages.on('settings.set', {
    from: 'ui',
    check: ({ settings }) => areSettings(settings),
    handle: async ({ settings }) => {
      await host.request('settings', settings);
      return describeSettings(host);
    },
  });
  messages.on('settings.pause', {
    from: 'ui',
    check: ({ minutes }) => Number.isInteger(minutes) && minutes >= 0 && minutes <= MAX_PAUSE_MINUTES,
    handle: async ({ minutes }) => {
      await host.request('pause', { minutes });
      return describeSettings(host);
    },
  });
  messages.on('settings.resume', {
    from: 'ui',
    handle: async () => {
      await host.request('resume');
      return describeSettings(host);
    },
  });
  messages.on('settings.zone', {
    from: 'ui',
    check: ({ zone }) => ZONES.includes(zone),
    handle: async ({ zone }) => {
      await chooseDefault(host, sites, zone);
      return describeSettings(host);
    },
  });
  // A choice that was made before there was a host.
  host.onState(async state => {
    const zone = state === 'ready' ? await pendingZone() : '';
    if (zone) await chooseDefault(host, sites, zone).catch(() => {});
  });
}

/** {settings: null} while there is no host; otherwise what it says, numbers checked. */
export async function describeSettings(host) {
  const status = host.ready ? await host.request('status').catch(() => null) : null;
  return {
    problems: problemsOf({ host }),
    host: { state: host.state, version: host.info?.version ?? '' },
    defaultZone: await pendingZone() || (host.info?.defaultZone ?? ''),
    ...(status ? checkStatus(status) : { settings: null, sharing: '', pausedSeconds: 0, month: null, rates: null, total: null, cache: null }),
  };
}

function checkStatus({ limits, sharing, paused_s: paused, surroundings, month, rates, ever, total, cache }) {
  return {
    settings: numbers(limits),
    sharing: word(sharing),
    pausedSeconds: numberOf(paused),
    surroundings: { network: word(surroundings?.network), power: word(surroundings?.power) },
    month: { name: word(month?.name), uploaded: numberOf(month?.uploaded) },
    rates: { upload: 0, download: 0, ...numbers(rates) },
    total: { cache: 0, peers: 0, supernode: 0, origin: 0, uploaded: 0, ...numbers(ever ?? total) },
    cache: { files: 0, bytes: 0, ...numbers(cache) },
  };
}

/** Kept until the host has it. */
async function chooseDefault(host, sites, zone) {
  pending = Promise.resolve(zone);
  await api.storage.local.set({ [PENDING]: zone });
  if (!host.ready) return;
  await sites.setDefaultZone(zone);
  pending = Promise.resolve('');
  await api.storage.local.remove(PENDING);
}

/** Read once; the popup does not wait for a disk. */
function pendingZone() {
  pending ??= api.storage.local.get(PENDING).then(({ [PENDING]: zone }) => (ZONES.includes(zone) ? zone : ''));
  return pending;
}

function areSettings(settings) {
  if (!settings || typeof settings !== 'object') return false;
  const entries = Object.entries(settings);
  return entries.length > 0 && entries.length <= MAX_NAMES && entries.every(([name, value]) => NAME.test(name) && name !== 'id' && name !== 'type'
    && Number.isSafeInteger(value) && value >= 0);
}

export const numberOf = value => (Number.isSafeInteger(value) && value >= 0 ? value : 0);
export const word = value => (typeof value === 'string' ? value.slice(0, 64) : '');
const numbers = object => Object.fromEntries(Object.entries(object ?? {}).filter(([, value]) => Number.isSafeInteger(value) && value >= 0));
