// The label by which a page says that its site takes part and to which release it belongs (host/PROTOCOL.md section 1):
//   Link: </.well-known/fringe/release.json>; rel="fringe"; seq=42          (RFC 8288)
//   <link rel="fringe" href="/.well-known/fringe/release.json" data-seq="42">
import { MAX_LINKS, MAX_LINK_HEADER, MAX_SEQ } from './limits.js';
import { siteOf } from './paths.js';

export const RELEASE_PATH = '/.well-known/fringe/release.json';
const REL = 'fringe';

/**
 * The label among the values of a document's Link headers, as {site, seq}, or null. seq 0 stands for "whatever is current".
 * A label counts only for the site that sent it.
 */
export function labelFromHeaders(values, documentUrl) {
  for (const value of values) {
    for (const link of parseLinks(value)) {
      const rels = (link.params.get('rel') ?? '').toLowerCase().split(/\s+/);
      if (!rels.includes(REL) || link.params.has('anchor')) continue;
      const label = makeLabel(link.target, link.params.get('seq'), documentUrl);
      if (label) return label;
    }
  }
  return null;
}

/** The same from a link element's href and data-seq. */
export function labelFromElement(href, seq, documentUrl) {
  return makeLabel(href, seq ?? undefined, documentUrl);
}

function makeLabel(target, seqText, documentUrl) {
  const site = siteOf(documentUrl);
  if (!site || typeof target !== 'string' || !URL.canParse(target, documentUrl)) return null;
  if (new URL(target, documentUrl).href !== site + RELEASE_PATH) return null;
  const seq = parseSeq(seqText);
  return seq === null ? null : { site, seq };
}

function parseSeq(text) {
  if (text === undefined || text === '') return 0;
  if (typeof text !== 'string' || !/^\d{1,16}$/.test(text)) return null;
  const seq = Number(text);
  return seq <= MAX_SEQ ? seq : null;
}

/** The links of one header value. What does not parse ends the list: a guess would be worse than no label. */
export function parseLinks(value) {
  const links = [];
  if (typeof value !== 'string' || value.length > MAX_LINK_HEADER) return links;
  let rest = value;
  while (links.length < MAX_LINKS) {
    const target = /^[\s,]*<([^<>]*)>/.exec(rest);
    if (!target) break;
    rest = rest.slice(target[0].length);
    const params = new Map();
    rest = parseParams(rest, params);
    links.push({ target: target[1].trim(), params });
  }
  return links;
}

const PARAM = /^\s*;\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+)))?/;

function parseParams(text, params) {
  for (let match; (match = PARAM.exec(text));) {
    const name = match[1].toLowerCase();
    const value = match[2] === undefined ? match[3] ?? '' : match[2].replace(/\\(.)/g, '$1');
    // RFC 8288 section 3.3: of several rel parameters the first counts.
    if (!params.has(name)) params.set(name, value);
    text = text.slice(match[0].length);
  }
  return text;
}
