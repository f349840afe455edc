#!/usr/bin/env node
// A stand-in for the native host: speaks host/PROTOCOL.md sections 2 and 3 and serves files straight from a webroot. For what
// a correct host will not do: hang, die in the middle of a file, speak another version, answer nonsense.
//
// It reads its configuration (see mock.js) from the JSON file $FRINGE_MOCK at each step, so a test may change it at any time,
// and writes what it was asked to "$FRINGE_MOCK.log", one JSON object a line.
import { randomBytes } from 'node:crypto';
import { appendFileSync, createReadStream, readFileSync, statSync, watchFile } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';

const CONFIG_FILE = process.env.FRINGE_MOCK;
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.json': 'application/json',
  '.png': 'image/png', '.svg': 'image/svg+xml', '.jpg': 'image/jpeg', '.webp': 'image/webp', '.wasm': 'application/wasm', '.txt': 'text/plain',
  '.woff2': 'font/woff2', '.wav': 'audio/wav', '.webm': 'video/webm', '.mp4': 'video/mp4', '.ogg': 'audio/ogg', '.mp3': 'audio/mpeg',
};

let config = readConfig();
const chosen = new Map();
const settings = { upload_rate: 0, download_rate: 0, monthly_cap: 0, slots: 8, local_discovery: 0, no_log: 0, unmetered_only: 0, mains_only: 0, cache_quota: 0 };
let paused = 0;
const choices = new Map();
const gone = new Set();
let cleared = () => false;
const tokens = new Map();
const pages = new Map();

function readConfig() {
  return JSON.parse(readFileSync(CONFIG_FILE, 'utf8'));
}

function log(entry) {
  appendFileSync(`${CONFIG_FILE}.log`, `${JSON.stringify(entry)}\n`);
}

/** The fault of that kind that a test has switched on, if any. */
function fault(kind) {
  return readConfig().faults?.[kind];
}

// --- native messaging

let input = Buffer.alloc(0);

process.stdin.on('data', chunk => {
  input = Buffer.concat([input, chunk]);
  while (input.length >= 4 && input.length >= 4 + input.readUInt32LE(0)) {
    const length = input.readUInt32LE(0);
    const frame = JSON.parse(input.subarray(4, 4 + length).toString());
    input = input.subarray(4 + length);
    received(frame);
  }
});
process.stdin.on('end', () => process.exit(0));

function send(message) {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(text.length);
  process.stdout.write(Buffer.concat([head, text]));
}

function received({ id, type, ...fields }) {
  config = readConfig();
  log({ type, ...fields });
  if (fault('silent')?.includes(type) || fault('silent')?.includes('*')) return;
  const handle = handlers[type];
  const answer = handle ? handle(fields) : { ok: false, error: 'unknown-type', text: `no request is called ${type}` };
  setTimeout(() => send({ id, ok: true, ...answer }), fault('delayMs')?.[type] ?? 0);
}

const handlers = {
  hello: () => ({ api: config.api ?? 1, version: 'mock', pid: process.pid, gateway: `http://127.0.0.1:${server.address().port}`,
    default_zone: defaultZone(), health: config.health }),
  'site.open': ({ site, seq }) => openSite(site, seq),
  'asset.want': want,
  'doc.close': ({ doc }) => (pages.delete(doc), {}),
  'site.status': ({ site, doc }) => ({ ...openSite(site, 0), release: null, peers: 1, page: pageOf(doc), total: {}, ...config.siteStatus }),
  'site.zone': ({ site, zone }) => {
    if (zone === 'default') chosen.delete(site);
    else chosen.set(site, zone);
    return { zone: zoneOf(site) };
  },
  settings: changes => {
    Object.assign(settings, changes);
    return { ...settings, default_zone: defaultZone() };
  },
  pause: ({ minutes }) => {
    paused = minutes * 60;
    return sharing();
  },
  resume: () => {
    paused = 0;
    return sharing();
  },
  log: logPage,
  'log.clear': clearLog,
  doctor: () => config.doctor,
  cache: () => cacheState(),
  'cache.clear': clearCache,
  'cache.keep': ({ site, keep }) => Object.assign(choiceOf(site), { keep }),
  'cache.quota': ({ site, quota }) => Object.assign(choiceOf(site), { quota }),
  sites: () => ({ sites: Object.keys(config.sites ?? {}).map(site => ({ site, zone: zoneOf(site), chosen: choiceFor(site), state: 'ready', seq: 1, version: '' })) }),
  status: () => ({ version: 'mock', pid: process.pid, default_zone: defaultZone(), ...sharing(), limits: { ...settings, default_zone: defaultZone() },
    cache: { files: cacheState().files, bytes: cacheState().bytes, state: 'ok' }, month: { name: '2026-11', uploaded: 0 }, rates: { upload: 0, download: 0 },
    total: { cache: 0, peers: 0, supernode: 0, origin: 0, uploaded: 0, wasted: 0 }, ...config.status }),
};

function choiceOf(site) {
  if (!choices.has(site)) choices.set(site, { keep: false, quota: 0 });
  return choices.get(site);
}

/** `sites.SITE.bytes` and `.files` of the configuration, until they are cleared; `going` files are still to go. */
function cacheState() {
  const kept = Object.entries(config.sites ?? {}).filter(([site, { files }]) => files && !gone.has(site));
  const sites = kept.map(([site, { bytes, files }]) => ({ site, bytes, files, down: 3 * bytes, up: bytes, last_used: Math.floor(Date.now() / 1000) - 86400, ...choiceOf(site) })).sort((a, b) => b.bytes - a.bytes);
  const sum = name => sites.reduce((total, each) => total + each[name], 0);
  return { bytes: sum('bytes'), files: sum('files'), quota: settings.cache_quota || 5e9, quota_chosen: settings.cache_quota > 0, quota_lowered: false,
    disk_free: 1e10, going: config.going ?? 0, sites };
}

function clearCache({ site }) {
  const cleared = cacheState().sites.filter(each => !site || each.site === site);
  for (const each of cleared) gone.add(each.site);
  return { files: cleared.reduce((sum, { files }) => sum + files, 0), bytes: cleared.reduce((sum, { bytes }) => sum + bytes, 0), in_use: 0 };
}

function logPage({ site, kind, before, limit = 50 }) {
  const fits = line => !cleared(line) && (!site || line.site === site) && (!kind || line.kind === kind || (kind === 'fetched' && line.kind !== 'shared'));
  const lines = logLines().filter(line => fits(line) && (!before || line.n < before));
  return { ...logKept(), lines: lines.slice(0, limit) };
}

function logKept() {
  return { kept: settings.no_log === 0, why: settings.no_log ? 'setting' : '' };
}

function clearLog({ site }) {
  const before = cleared;
  const [newest] = logLines();
  cleared = line => before(line) || (line.n <= newest.n && (!site || line.site === site));
  return logKept();
}

/** Newest first: `log.lines` of the configuration, and `log.count` that are made up. */
function logLines() {
  const { lines = [], count = 0 } = config.log ?? {};
  const older = Array.from({ length: count }, (_, i) => madeUpLine(count - i));
  return [...lines.map((line, i) => ({ ...madeUpLine(count + lines.length - i), ...line })), ...older];
}

function madeUpLine(n) {
  const kind = ['cache', 'peers', 'supernode', 'origin', 'shared'][n % 5];
  return { n, time: 1800000000 + n, kind, site: `https://site-${n % 3}.example`, path: `/static/file-${n}.bin`, seq: 42, bytes: 1000 * n, size: 3_000_000,
    peer: n % 5 === 1 || n % 5 === 4 ? `203.0.113.${n % 250}:6881` : null };
}

function sharing() {
  return { sharing: paused ? 'paused' : 'on', paused_s: paused, surroundings: { network: 'unknown', power: 'unknown' } };
}

function choiceFor(site) {
  return chosen.get(site) ?? config.sites?.[site]?.zone ?? 'default';
}

function zoneOf(site) {
  return choiceFor(site) === 'default' ? defaultZone() : choiceFor(site);
}

function defaultZone() {
  return settings.default_zone ?? config.defaultZone ?? 'share';
}

function openSite(site, seq) {
  const zone = { zone: zoneOf(site), chosen: choiceFor(site) };
  if (zone.zone === 'off') return { ...zone, state: 'off', reason: 'zone-off' };
  const release = config.sites?.[site];
  if (!release) return { ...zone, state: 'failed', reason: 'no-release' };
  if (release.reason) return { ...zone, state: 'failed', reason: release.reason };
  if (!rootOf(release, seq)) return { ...zone, state: 'failed', reason: 'seq-mismatch' };
  return { ...zone, state: 'ready', reason: '', seq: seq || release.seq, version: release.version ?? '', expires: 4102444800, bases: release.bases ?? ['/static/'] };
}

/** The folder that holds the files of that release: `roots` names those of older ones. */
function rootOf(release, seq) {
  return !seq || seq === release.seq ? release.root : release.roots?.[seq];
}

function want({ site, seq, path, doc }) {
  const opened = openSite(site, seq);
  if (opened.state !== 'ready') return { via: 'origin', reason: opened.reason };
  const file = findFile(rootOf(config.sites[site], opened.seq), path, opened.bases);
  if (!file) return { via: 'origin', reason: 'not-listed' };
  const token = tokenOf(site);
  const page = pageOf(doc);
  page.files++;
  page[config.source ?? 'peers'] += file.length;
  return {
    via: 'gateway', url: `http://127.0.0.1:${server.address().port}/${token}/${opened.seq}${path}`, length: file.length,
    content_type: file.type, headers: config.sites[site].headers ?? {}, etag: '"mock"', ...fault('want'),
  };
}

function findFile(root, path, bases) {
  if (!bases.some(base => path.startsWith(base)) || path.includes('..')) return null;
  try {
    const name = join(root, decodeURIComponent(path));
    const stat = statSync(name);
    return stat.isFile() ? { name, length: stat.size, type: TYPES[extname(name)] ?? 'application/octet-stream' } : null;
  } catch {
    return null;
  }
}

function tokenOf(site) {
  if (!tokens.has(site)) tokens.set(site, randomBytes(16).toString('hex'));
  return tokens.get(site);
}

function pageOf(doc) {
  if (!pages.has(doc)) pages.set(doc, { files: 0, cache: 0, peers: 0, supernode: 0, origin: 0 });
  return pages.get(doc);
}

// Another client's change of a zone reaches the browser as an event.
let announced = config;
watchFile(CONFIG_FILE, { interval: 50 }, () => {
  config = readConfig();
  const before = announced;
  announced = config;
  if (JSON.stringify(config.health) !== JSON.stringify(before.health)) send({ event: 'health', ...config.health });
  for (const site of Object.keys(config.sites ?? {})) {
    if (config.sites[site].zone === before.sites?.[site]?.zone) continue;
    chosen.delete(site);
    send({ event: 'site.changed', site, zone: zoneOf(site), chosen: choiceFor(site) });
  }
});

// --- the gateway

const server = createServer((request, response) => {
  config = readConfig();
  log({ gateway: request.url, method: request.method, range: request.headers.range, host: request.headers.host });
  if (fault('gatewaySilent')) return;
  const match = /^\/([0-9a-f]{32})\/(\d+)(\/.*)$/.exec(request.url);
  const site = match && [...tokens].find(([, token]) => token === match[1])?.[0];
  if (!site) return end(response, 403);
  const file = findFile(rootOf(config.sites[site], Number(match[2])), match[3], config.sites[site].bases ?? ['/static/']);
  if (!file) return end(response, 404);
  setTimeout(serve, fault('gatewayDelayMs') ?? 0, request, response, file);
});
server.listen(0, '127.0.0.1');

function end(response, status) {
  response.writeHead(status, { 'content-length': 0 });
  response.end();
}

function serve(request, response, file) {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  const last = range?.[2] ? Math.min(Number(range[2]), file.length - 1) : file.length - 1;
  if (range && start >= file.length) return end(response, 416);
  response.writeHead(range ? 206 : 200, {
    'content-type': file.type, 'content-length': last - start + 1, 'accept-ranges': 'bytes', etag: '"mock"', 'cache-control': 'no-store',
    'x-content-type-options': 'nosniff', ...(range ? { 'content-range': `bytes ${start}-${last}/${file.length}` } : {}),
  });
  if (request.method === 'HEAD' || file.length === 0) return response.end();
  sendBody(response, file, start, last);
}

/** Sends the bytes, or only some of them when a fault says so. */
function sendBody(response, file, start, last) {
  const body = createReadStream(file.name, { start, end: last, highWaterMark: 65536 });
  let position = start;
  body.on('data', chunk => {
    const broken = ['cutAt', 'stallAt', 'dieAt'].find(kind => position + chunk.length > fault(kind));
    const keep = broken ? Math.max(0, fault(broken) - position) : chunk.length;
    position += keep;
    // The bytes before the break are to arrive: first out of this process, then at the browser.
    const breakNow = () => setTimeout(() => {
      if (broken === 'cutAt') response.destroy();
      if (broken === 'dieAt') process.kill(process.pid, 'SIGKILL');
    }, 50);
    if (!response.write(chunk.subarray(0, keep), broken && breakNow)) body.pause();
    if (broken) body.destroy();
  });
  response.on('drain', () => body.resume());
  body.on('end', () => response.end());
  response.on('close', () => body.destroy());
}
