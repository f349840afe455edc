// The sites that the host knows, for the popup's list. A site stands here by its name only: what the host says of it is checked.
import { MAX_SEQ } from '../common/limits.js';
import { isSite } from '../common/paths.js';
import { ZONES } from './host.js';
import { word } from './settings.js';

export function answerKnownSites({ host, messages }) {
  messages.on('sites.list', {
    from: 'ui',
    handle: async () => {
      const { sites } = await host.request('sites');
      return { sites: (Array.isArray(sites) ? sites : []).filter(({ site }) => isSite(site)).map(describe) };
    },
  });
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
