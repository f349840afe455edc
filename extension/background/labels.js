// Sees the label of every document a tab opens, from its response headers. Only looks on, and sends nothing anywhere.
import { api } from '../common/api.js';
import { labelFromHeaders } from '../common/label.js';

/** Must run in the background's first turn, or a sleeping background misses the event that woke it. */
export function watchLabels(sites) {
  api.webRequest.onHeadersReceived.addListener(
    details => seen(sites, details),
    { urls: ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*'], types: ['main_frame'] },
    ['responseHeaders'],
  );
  api.tabs.onRemoved.addListener(tab => sites.closed(tab));
}

function seen(sites, details) {
  if (details.tabId < 0 || details.incognito || details.documentLifecycle === 'prerender' || !opensDocument(details)) return;
  const links = headerValues(details.responseHeaders, 'link');
  sites.navigated(details.tabId, labelFromHeaders(links, details.url));
}

/** Redirects, empty answers and downloads leave the tab's document as it is. */
function opensDocument({ statusCode, responseHeaders }) {
  if ((statusCode >= 300 && statusCode < 400) || statusCode === 204 || statusCode === 205) return false;
  return !headerValues(responseHeaders, 'content-disposition').some(value => /^\s*attachment/i.test(value));
}

function headerValues(headers = [], name) {
  return headers.filter(header => header.name.toLowerCase() === name && header.value).map(header => header.value);
}
