// Decides how one request is answered and how its headers must look: pure functions, no browser API.
//
// Two ways, because a filter can replace a response's body but neither its status nor its being sent:
//   tiny   the request asks the origin for one byte, and the 206 gets the whole body. For kinds that do not look at the status,
//          and for the requests of the site's worker, which makes a 200 of it.
//   plain  the request goes out untouched, and its answer's body is replaced. For fetch, XHR and JSON modules that no worker of
//          ours attends. The origin begins to send the file, so this costs it up to as much as without us.
import { isRange } from '../common/gateway.js';
import { MEDIA_PART_BYTES, TINY_BYTES, TINY_MEDIA_BYTES } from './limits.js';

const PLAIN_TYPES = new Set(['xmlhttprequest', 'json']);
const REPLACED_IN_REQUEST = new Set(['range', 'accept-encoding']);

/**
 * The part of a file of `length` bytes that answers the request: {tiny, ranged, media, start, last, length}, with both ends
 * included. Null when only the origin can answer: conditional requests, odd ranges, empty files.
 */
export function planRequest({ type, requestHeaders, documentUrl }, length) {
  if (requestHeaders.some(header => /^if-/i.test(header.name))) return null;
  const ranges = requestHeaders.filter(header => header.name.toLowerCase() === 'range');
  if (ranges.length > 1 || length < 1) return null;

  const media = type === 'media';
  const tiny = !PLAIN_TYPES.has(type) || isWorker(documentUrl);
  if (!ranges.length) return { tiny, ranged: false, media, start: 0, last: length - 1, length };
  // A page sees the tiny answer's Content-Length, which only the worker can put right; media elements do not look at it.
  if (!tiny || !isRange(ranges[0].value)) return null;
  const [start, end] = ranges[0].value.slice('bytes='.length).split('-');
  const first = Number(start);
  if (first >= length) return null;
  const wanted = end === '' && media ? first + MEDIA_PART_BYTES - 1 : end === '' ? length - 1 : Number(end);
  return { tiny: true, ranged: true, media, start: first, last: Math.min(wanted, length - 1), length };
}

/** True for the site's worker as content.js registers it. Composed into a worker of the site's own it does not make 200s. */
function isWorker(documentUrl) {
  return URL.canParse(documentUrl) && new URL(documentUrl).href.slice(new URL(documentUrl).origin.length) === '/fringe-sw.js?via=filter';
}

/**
 * True for what a worker imports before it runs, and with importScripts: it names the worker's script as its document, which is a
 * script, or one of the files that came through us (`carried`, a Set of paths). What `import()` fetches later is like a page's.
 */
export function isImportOfWorker({ type, documentUrl, requestHeaders }, carried) {
  if (type !== 'script' || !URL.canParse(documentUrl)) return false;
  const mode = headerValue(requestHeaders, 'sec-fetch-mode');
  if (/worker$/.test(headerValue(requestHeaders, 'sec-fetch-dest') ?? '')) return mode === 'cors';
  if (mode === 'cors') return false;
  const { pathname } = new URL(documentUrl);
  return /\.m?js$/i.test(pathname) || carried.has(pathname);
}

/** The part as a Range header's value. */
export function rangeOf({ start, last }) {
  return `bytes=${start}-${last}`;
}

/** The request's headers, asking for next to nothing and unpacked: a compressed part could not be replaced by plain bytes. */
export function tinyRequestHeaders(requestHeaders, plan) {
  const asked = plan.media ? TINY_MEDIA_BYTES : TINY_BYTES;
  return [
    ...requestHeaders.filter(header => !REPLACED_IN_REQUEST.has(header.name.toLowerCase())),
    { name: 'Range', value: rangeOf({ start: plan.start, last: Math.min(plan.start + asked - 1, plan.last) }) },
    { name: 'Accept-Encoding', value: 'identity' },
  ];
}

/**
 * What the origin's answer allows: "replace" its body, "wait" for the answer that follows this one, "pass" it untouched, or, when
 * a few bytes can be neither, ask "again" for the whole.
 */
export function verdict(plan, statusCode, responseHeaders) {
  if (plan.tiny) {
    if (statusCode !== 206) return 'pass';
    return (headerValue(responseHeaders, 'content-encoding') ?? 'identity') === 'identity' ? 'replace' : 'again';
  }
  // A 304 is the browser asking about its own cached copy; that copy's 200 follows.
  if (statusCode === 304) return 'wait';
  return statusCode === 200 ? 'replace' : 'pass';
}

/**
 * The answer's headers, as far as the browser lets them be changed, as they would stand had the origin sent what was asked, and
 * with what the release says that its files need (`located` is the host's answer).
 */
export function mendResponseHeaders(responseHeaders, plan, located) {
  const needed = Object.entries(located.headers).filter(([name]) => headerValue(responseHeaders, name.toLowerCase()) === undefined);
  const mended = [...responseHeaders, ...needed.map(([name, value]) => ({ name, value }))];
  if (!plan.tiny) return mended;
  const whole = setHeader(mended, 'Content-Range', `bytes ${plan.start}-${plan.last}/${plan.length}`);
  return needsType(whole, plan) ? setHeader(whole, 'Content-Type', located.contentType) : whole;
}

/** The browser finds a missing type out from the first bytes, of which the tiny answer has too few. */
function needsType(headers, { media }) {
  const type = headerValue(headers, 'content-type');
  return !type || (media && /^(?:application\/octet-stream|text\/plain)\b/i.test(type));
}

function setHeader(headers, name, value) {
  return [...headers.filter(header => header.name.toLowerCase() !== name.toLowerCase()), { name, value }];
}

export function headerValue(headers, name) {
  return headers.find(header => header.name.toLowerCase() === name)?.value;
}

/** The answer's Content-Length, 0 when it names none. */
export function bodyLength(responseHeaders) {
  const text = headerValue(responseHeaders, 'content-length') ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
