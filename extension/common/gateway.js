// Fetching from the host's gateway (host/PROTOCOL.md section 3). Extension contexts may do so freely; a page may not.
import { isPath } from './paths.js';

const GATEWAY = /^http:\/\/127\.0\.0\.1:([1-9]\d{0,4})$/;
const TOKEN_AND_SEQ = /^\/([0-9a-f]{32})\/(\d{1,16})(\/.*)$/;
const RANGE = /^bytes=(\d{1,15})-(\d{0,15})$/;

/** True for the base URL a host may name in its hello: this machine and a port, nothing else. */
export function isGateway(text) {
  const match = typeof text === 'string' && GATEWAY.exec(text);
  return Boolean(match) && Number(match[1]) <= 65535;
}

/** True when `url` is what the gateway may serve `path` under. A wrong URL would hand the page another file's bytes. */
export function isGatewayUrl(url, gateway, path) {
  if (typeof url !== 'string' || !isGateway(gateway) || !isPath(path)) return false;
  if (!url.startsWith(`${gateway}/`) || !URL.canParse(url) || new URL(url).href !== url) return false;
  const match = TOKEN_AND_SEQ.exec(url.slice(gateway.length));
  return Boolean(match) && match[3] === path;
}

/** True for the one kind of Range header that is passed on: a single range with a first byte (RFC 9110 section 14). */
export function isRange(text) {
  const match = typeof text === 'string' && RANGE.exec(text);
  return Boolean(match) && (match[2] === '' || Number(match[2]) >= Number(match[1]));
}

/**
 * Fetches a checked gateway URL. Returns {response, start, length, total}: the part of the file that the body holds.
 * Throws when the gateway does not answer with exactly what was asked.
 */
export async function fetchGateway(url, { range, signal } = {}) {
  const response = await fetch(url, {
    redirect: 'error',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
    headers: range ? { range } : {},
    signal,
  });
  const part = describePart(response, range);
  if (part) return { response, ...part };
  response.body?.cancel().catch(() => {});
  throw new Error(`gateway answered ${response.status}`);
}

function describePart(response, range) {
  const length = parseLength(response.headers.get('content-length'));
  if (length === null) return null;
  if (response.status === 200) return { start: 0, length, total: length };
  if (response.status !== 206 || !range) return null;
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(response.headers.get('content-range') ?? '');
  if (!match) return null;
  const [start, end, total] = match.slice(1).map(Number);
  const asked = Number(RANGE.exec(range)[1]);
  return start === asked && end < total && end - start + 1 === length ? { start, length, total } : null;
}

function parseLength(text) {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
