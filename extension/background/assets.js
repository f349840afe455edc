// Where one file of a page is to come from: the question both browsers' halves ask for every labelled request.
import { MAX_INLINE_BYTES, WANT_TIMEOUT_MS } from '../common/limits.js';
import { isGatewayUrl } from '../common/gateway.js';
import { isPath, isUnder } from '../common/paths.js';

// What a release may set (host/PROTOCOL.md section 1.1). The host checks it too; a header decides over a page's safety.
const HEADERS = new Set(['cross-origin-embedder-policy', 'cross-origin-resource-policy', 'cross-origin-opener-policy',
  'content-security-policy', 'timing-allow-origin', 'access-control-allow-origin', 'permissions-policy', 'sourcemap',
  'service-worker-allowed']);
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,60}\/[\w!#$&^.+-]{1,60}(?:; ?[\w-]+=[\w."-]+)?$/;
const MAX_HEADER_VALUE = 1024;
const MAX_LENGTH = 2 ** 40;

export class Assets {
  #host;
  #sites;

  constructor(host, sites) {
    this.#host = host;
    this.#sites = sites;
  }

  /** False while the host owes an answer to "are you there?": nobody should wait for it. */
  get answering() {
    return this.#host.answering;
  }

  /** Somebody has waited for the gateway in vain: does the host live? */
  doubt() {
    this.#host.doubt();
  }

  /**
   * `record` is the document (sites.js), null when the asker belongs to none. Resolves, and never rejects, to
   * {via: "gateway", url, length, contentType, headers, etag, body} or {via: "origin", reason}. `body` is the whole file where the
   * host had it at hand and it is small, else null.
   */
  async locate(record, path) {
    if (!record?.site) return origin('no-label');
    if (!isPath(path)) return origin('bad-path');
    if (record.state === 'opening') await record.patience;
    if (record.state === 'opening') this.#host.doubt();
    if (record.state !== 'ready') return origin(record.state === 'off' ? 'zone-off' : record.reason || record.state);
    if (!isUnder(path, record.bases)) return origin('not-listed');
    if (!this.#host.answering) return origin('not-answering');
    return this.#want(record, path);
  }

  async #want(record, path) {
    const { site, seq, doc } = record;
    try {
      const answer = await this.#host.request('asset.want', { site, seq, path, doc, inline: MAX_INLINE_BYTES }, { timeoutMs: WANT_TIMEOUT_MS });
      const located = answer.via === 'gateway' && checkAnswer(answer, this.#host.info?.gateway, path);
      const reason = typeof answer.reason === 'string' ? answer.reason.slice(0, 64) : 'failed';
      this.#sites.located(record, path, located ? '' : reason);
      return located || origin(located === null ? 'bad-answer' : reason);
    } catch (error) {
      return origin(error.code ?? 'failed');
    }
  }
}

function origin(reason) {
  return { via: 'origin', reason };
}

function checkAnswer(answer, gateway, path) {
  const { url, length, content_type: contentType, etag } = answer;
  const body = bodyOf(answer, length);
  if (!isGatewayUrl(url, gateway, path)) return null;
  if (!Number.isInteger(length) || length < 0 || length > MAX_LENGTH) return null;
  if (typeof contentType !== 'string' || !MEDIA_TYPE.test(contentType)) return null;
  if (body === undefined) return null;
  return { via: 'gateway', url, length, contentType, headers: allowedHeaders(answer.headers), etag: isEtag(etag) ? etag : '', body };
}

/** The file's bytes; null when they did not come with the answer, undefined when they are not as they should be. */
function bodyOf({ body }, length) {
  if (body === undefined) return null;
  if (typeof body !== 'string' || body.length > 2 * MAX_INLINE_BYTES) return undefined;
  try {
    const bytes = Uint8Array.fromBase64?.(body) ?? Uint8Array.from(atob(body), letter => letter.charCodeAt(0));
    return bytes.length === length && length <= MAX_INLINE_BYTES ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function isEtag(text) {
  return typeof text === 'string' && /^"[\x21\x23-\x7e]{1,128}"$/.test(text);
}

function allowedHeaders(headers) {
  if (!headers || typeof headers !== 'object') return {};
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => HEADERS.has(name.toLowerCase())
    && typeof value === 'string' && value.length <= MAX_HEADER_VALUE && /^[\x20-\x7e]*$/.test(value)));
}
