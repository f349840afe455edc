// The Firefox half: a page's request for a labelled file is held until verified bytes are at hand, then goes out asking for next
// to nothing, and its answer's body is replaced. In reading order: watch, owner, interception, exchange, plan, source, stream.
import { api } from '../common/api.js';
import { Interception } from './interception.js';
import { Watch } from './watch.js';

export function startFirefox({ sites, assets, messages }) {
  const interception = new Interception({ sites, assets });
  const watch = new Watch({ interception, sites });

  // Blocking, so that the page's own requests come only after their listeners. The shared labels.js was told of it before us.
  api.webRequest.onHeadersReceived.addListener(({ tabId, responseHeaders }) => {
    const record = sites.docOfTab(tabId);
    if (record?.site) {
      interception.documentBegins(record, responseHeaders);
      watch.update(record.site);
    }
    watch.updateAll();
  }, { urls: ['https://*/*', 'http://localhost/*', 'http://127.0.0.1/*'], types: ['main_frame'] }, ['blocking', 'responseHeaders']);
  api.tabs.onRemoved.addListener(() => watch.updateAll());

  messages.on('page.worker', {
    from: 'page',
    handle: async (message, { tab }) => {
      const record = sites.docOfTab(tab.id);
      await record?.opened;
      return { worker: workerFor(record) };
    },
  });
  sites.onChange(site => {
    for (const record of sites.docsOfSite(site)) {
      api.tabs.sendMessage(record.tab, { type: 'worker', worker: workerFor(record) }, { frameId: 0 }).catch(() => {});
    }
  });
}

/** What is to become of the site's worker, which puts right what fetch and XHR would see (site/fringe-sw.js). */
function workerFor(record) {
  if (record?.state === 'ready') return 'register';
  return record?.state === 'off' ? 'remove' : 'leave';
}
