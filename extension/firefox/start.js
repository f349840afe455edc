// The Firefox half: a page's request for a labelled file is held until verified bytes are at hand, then goes out asking for next
// to nothing, and its answer's body is replaced. In reading order: watch, owner, interception, exchange, plan, source, stream.
import { api } from '../common/api.js';
import { Interception } from './interception.js';
import { Watch } from './watch.js';

export function startFirefox({ sites, assets }) {
  const watch = new Watch({ interception: new Interception({ sites, assets }), sites });

  // Blocking, so that the page's own requests come only after their listeners. The shared labels.js was told of it before us.
  api.webRequest.onHeadersReceived.addListener(({ tabId }) => {
    const site = sites.docOfTab(tabId)?.site;
    if (site) watch.update(site);
    watch.updateAll();
  }, { urls: ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*'], types: ['main_frame'] }, ['blocking']);
  api.tabs.onRemoved.addListener(() => watch.updateAll());
}
