// Sites and paths as the protocol knows them (host/PROTOCOL.md, "Words"). Whatever a page, worker or peer of the background
// sends goes through here before it reaches the host or a gateway URL: `/../other/x`, `%2e%2e`, `//host` and backslashes
// crossed from one site to another in experiments that did without.
import { MAX_PATH_LENGTH, MAX_SITE_LENGTH } from './limits.js';

const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The site an URL belongs to, or null: https anywhere, plain http on this machine only. */
export function siteOf(url) {
  if (typeof url !== 'string' || !URL.canParse(url)) return null;
  const { protocol, hostname, origin } = new URL(url);
  const allowed = protocol === 'https:' || (protocol === 'http:' && LOCAL_HOSTS.has(hostname));
  return allowed && origin.length <= MAX_SITE_LENGTH ? origin : null;
}

/** True when the text is exactly a site: an origin in its ASCII serialisation and nothing more. */
export function isSite(text) {
  return siteOf(text) === text;
}

// Encoded slash, backslash, dot and control characters: a server may decode them into another path than the one checked.
const ENCODED_TRAP = /%(?:2e|2f|5c|[01][0-9a-f]|7f)/i;
const PRINTABLE = /^[\x21-\x7e]+$/;
const FORBIDDEN = /[?#\\"<>`{}|^]/;

/** True when the path may be asked for: absolute, in normal form, percent-encoded as a browser sends it, without query. */
export function isPath(path) {
  if (typeof path !== 'string' || path.length > MAX_PATH_LENGTH || !path.startsWith('/')) return false;
  if (!PRINTABLE.test(path) || FORBIDDEN.test(path) || ENCODED_TRAP.test(path)) return false;
  if (/%(?![0-9a-f]{2})/i.test(path)) return false;
  return !path.split('/').slice(1, -1).includes('') && !path.split('/').some(isDotSegment);
}

function isDotSegment(segment) {
  return segment === '.' || segment === '..';
}

/** The path of an URL below `site`, or null when the origin has to answer: other site, query string, unusual path. */
export function assetPath(url, site) {
  if (typeof url !== 'string' || !URL.canParse(url)) return null;
  const parsed = new URL(url);
  if (parsed.origin !== site || parsed.username || parsed.password) return null;
  parsed.hash = '';
  if (parsed.href.includes('?')) return null;
  return isPath(parsed.pathname) ? parsed.pathname : null;
}

/** True when the path lies under one of the release's bundles. */
export function isUnder(path, bases) {
  return bases.some(base => path.startsWith(base) && path.length > base.length);
}
