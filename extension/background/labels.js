// Sees the label of every document a tab opens, from its response headers. Only looks on, and sends nothing anywhere.
import { api } from '../common/api.js';
import { labelFromHeaders } from '../common/label.js';

const DOCUMENTS = { urls: ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*'], types: ['main_frame'] };
const MAX_PREFETCHES = 256;

/** Must run in the background's first turn, or a sleeping background misses the event that woke it. */
export function watchLabels(sites) {
  const prefetches = new Set();
  api.webRequest.onBeforeSendHeaders.addListener(details => noticePrefetch(prefetches, details), DOCUMENTS, ['requestHeaders']);
  api.webRequest.onHeadersReceived.addListener(details => {
    if (!prefetches.delete(details.requestId)) seen(sites, details);
  }, DOCUMENTS, ['responseHeaders']);
  api.tabs.onRemoved.addListener(tab => sites.closed(tab));
}

/** What a page has the browser fetch ahead looks like a document of its tab, and comes again when the visitor goes there. */
function noticePrefetch(prefetches, { requestId, requestHeaders }) {
  if (!headerValues(requestHeaders, 'sec-purpose').some(value => /^prefetch\b/.test(value) && !/prerender/.test(value))) return;
  if (prefetches.size < MAX_PREFETCHES) prefetches.add(requestId);
}

function seen(sites, details) {
  const { tabId, frameId, incognito, documentLifecycle, responseHeaders, url } = details;
  if (tabId < 0 || incognito || !opensDocument(details)) return;
  const label = labelFromHeaders(headerValues(responseHeaders, 'link'), url);
  if (documentLifecycle === 'prerender') sites.loadedAhead(tabId, frameId, label);
  else sites.navigated(tabId, label);
}

/** Redirects, empty answers and downloads leave the tab's document as it is. */
function opensDocument({ statusCode, responseHeaders }) {
  if ((statusCode >= 300 && statusCode < 400) || statusCode === 204 || statusCode === 205) return false;
  return !headerValues(responseHeaders, 'content-disposition').some(value => /^\s*attachment/i.test(value));
}

function headerValues(headers = [], name) {
  return headers.filter(header => header.name.toLowerCase() === name && header.value).map(header => header.value);
}
