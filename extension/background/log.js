// The log of transfers, for the options page: pages of it, and clearing it. The host keeps it; its words are checked for shape and
// length, and a site or a file may be called anything.
import { MAX_LOG_PAGE, MAX_PATH_LENGTH, MAX_SITE_LENGTH } from '../common/limits.js';
import { isSite } from '../common/paths.js';
import { numberOf, word } from './settings.js';

const SOURCES = ['cache', 'peers', 'supernode', 'origin'];
const KINDS = [...SOURCES, 'shared'];
const REASONS = ['setting', 'disk', 'supernode'];

export function answerLog({ host, messages }) {
  messages.on('log.page', {
    from: 'ui',
    check: ({ site, kind, before, limit }) => isFilter(site, kind) && Number.isSafeInteger(before) && before >= 0
      && Number.isInteger(limit) && limit >= 1 && limit <= MAX_LOG_PAGE,
    handle: async ({ site, kind, before, limit }) => checkPage(await host.request('log', { ...given({ site, kind }), before, limit })),
  });
  messages.on('log.clear', {
    from: 'ui',
    check: ({ site }) => isFilter(site),
    handle: async ({ site }) => {
      await host.request('log.clear', given({ site }));
      return {};
    },
  });
}

function isFilter(site, kind) {
  return (site === undefined || isSite(site)) && (kind === undefined || kind === 'fetched' || KINDS.includes(kind));
}

const given = fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** {why, lines}: `why` says why no log is kept, '' when one is. */
export function checkPage({ kept, why, lines }) {
  const known = Array.isArray(lines) ? lines.slice(0, MAX_LOG_PAGE).map(checkLine).filter(Boolean) : [];
  return { why: kept === true ? '' : REASONS.includes(why) ? why : 'disk', lines: known };
}

function checkLine(line) {
  if (!line || typeof line !== 'object' || numberOf(line.n) === 0 || !KINDS.includes(line.kind)) return null;
  const { n, time, kind, site, path, seq, bytes, size, peer } = line;
  return {
    n, time: numberOf(time), kind, site: words(site, MAX_SITE_LENGTH), path: words(path, 3 * MAX_PATH_LENGTH),
    seq: numberOf(seq), bytes: numberOf(bytes), size: numberOf(size), peer: word(peer),
  };
}

const words = (value, most) => (typeof value === 'string' ? value.slice(0, most) : '');
