// What is wrong, and what to do: from all that is known, the problems there are, by name. Pure; the pages of the extension show
// the texts (_locales: `title`, `help`), the badge shows `sign`.
//
//   host       the host: `state` and `fault` (host.js), its words in `detail`, and what it says of itself in `health`
//   site       of the tab: {site, state, reason} as in sites.js, `origin` as in site.status; null when it takes no part
//   unseen     the tab shows a page that was opened before this background ran
//   ownWorker  its site has a service worker of its own, which does not let us in (Chromium)
//
// Nothing of this keeps a page from loading: its files come from its site then.

/** The host is not there, or not as it should be. A fault of a crash is old news a moment later, so it comes with a sign of its own. */
const HOST = {
  'not-installed': { id: 'host-missing', sign: 'missing', retry: true },
  'not-allowed': { id: 'host-not-allowed', sign: 'missing', retry: true },
  'not-startable': { id: 'host-not-startable', sign: 'missing', retry: true },
  'host-older': { id: 'host-older', sign: 'problem', retry: true },
  'host-newer': { id: 'host-newer', sign: 'problem', retry: true },
  'host-odd': { id: 'host-odd', sign: 'problem', retry: true },
  ended: { id: 'host-ended', sign: 'problem', retry: true },
  hangs: { id: 'host-hangs', sign: 'problem', retry: true },
};
const STORE = { 'no-space': 'store-full', 'read-only': 'store-read-only', io: 'store-broken' };
const CLOCK = { ahead: 'clock-ahead', behind: 'clock-behind' };
const ORIGIN = { unreachable: 'site-unreachable', tls: 'site-certificate' };
/** What a wrong clock brings about by itself. */
const OF_THE_CLOCK = ['expired'];
const REASONS = ['no-release', 'bad-signature', 'bad-release', 'wrong-site', 'expired', 'key-changed', 'revoked', 'rollback', 'seq-mismatch', 'no-catalog',
  'bad-catalog', 'too-many-bundles', 'bad-torrent', 'cannot-store', 'no-room', 'timeout'];
/** No faults: what the visitor, or the site's owner, wants. */
const NO_PROBLEM = ['zone-off', 'revoked', ''];

export const HEALTHY = { store: 'ok', network: 'ok', clock: 'ok', clockOffSeconds: 0 };

/** The host's own account of itself, checked; what is not known is well. */
export function checkHealth(health) {
  const known = (value, table) => (Object.hasOwn(table, value) ? value : 'ok');
  const off = health?.clock_off_s;
  return {
    store: known(health?.store, STORE),
    network: health?.network === 'none' ? 'none' : 'ok',
    clock: known(health?.clock, CLOCK),
    clockOffSeconds: Number.isSafeInteger(off) && off > 0 ? off : 0,
  };
}

/** All problems, those that explain others first: [{id, sign, title, help, values, detail, retry}]. */
export function problemsOf({ host, site = null, unseen = false, ownWorker = false }) {
  const ofHost = hostProblem(host);
  if (ofHost) return [ofHost];
  if (host.state !== 'ready') return [];
  const ofPage = [ownWorker && 'own-worker', unseen && !ownWorker && 'page-unseen'].filter(Boolean).map(id => make(id, 'note'));
  return [...computerProblems(host.health ?? HEALTHY, site), ...siteProblems(host.health ?? HEALTHY, site), ...ofPage];
}

/** "missing", "problem" or "" (nothing to look at): the worst of them. */
export function signOf(problems) {
  return ['missing', 'problem'].find(sign => problems.some(problem => problem.sign === sign)) ?? '';
}

function hostProblem({ state, fault, detail }) {
  const known = HOST[fault] ?? { missing: HOST['not-installed'], 'wrong-version': HOST['host-odd'], crashed: HOST.ended }[state];
  return state === 'ready' || state === 'connecting' || !known ? null : { ...make(known.id, known.sign), detail, retry: known.retry };
}

function computerProblems(health, site) {
  const problems = [];
  if (STORE[health.store]) problems.push(make(STORE[health.store], 'problem'));
  if (CLOCK[health.clock]) problems.push({ ...make(CLOCK[health.clock], 'problem'), values: [howLong(health.clockOffSeconds)] });
  if (health.network === 'none' && !(site && isLocal(site.site))) problems.push(make('no-network', 'note'));
  return problems;
}

/** Of the site, what the computer's own problems do not explain. */
function siteProblems(health, site) {
  if (!site) return [];
  if (health.network !== 'none' && ORIGIN[site.origin]) return [make(ORIGIN[site.origin], 'note')];
  if (site.state !== 'failed' || NO_PROBLEM.includes(site.reason)) return [];
  if (health.clock !== 'ok' && OF_THE_CLOCK.includes(site.reason)) return [];
  if (health.network === 'none' && site.reason === 'no-release') return [];
  if (health.store !== 'ok' && site.reason === 'cannot-store') return [];
  const reason = REASONS.includes(site.reason) ? site.reason : 'failed';
  return [{ id: `release-${reason}`, sign: 'problem', title: `reason_${reason.replaceAll('-', '_')}`, help: 'problem_release_help', values: [], detail: '', retry: false }];
}

function make(id, sign) {
  const name = `problem_${id.replaceAll('-', '_')}`;
  return { id, sign, title: name, help: `${name}_help`, values: [], detail: '', retry: false };
}

/** {number, unit} for Intl.NumberFormat: the largest unit of which there is one at least. */
function howLong(seconds) {
  const units = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60]];
  const [unit, length] = units.find(([, length]) => seconds >= 0.9 * length) ?? units.at(-1);
  return { number: Math.max(1, Math.round(seconds / length)), unit };
}

function isLocal(site) {
  const { hostname } = new URL(site);
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '127.0.0.1' || hostname === '[::1]';
}
