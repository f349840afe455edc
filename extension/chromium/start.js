// The Chromium half. The browser lets no extension answer a page's request, so the site's own worker (site/fringe-sw.js) asks
// for files over a message port; here are the other ends of those ports, and the decision where that worker belongs.
import { api } from '../common/api.js';
import { isAhead } from '../background/messages.js';
import { EnterRule } from './enter-rule.js';
import { SitePorts } from './site-ports.js';

const OPEN_STATES = ['opening', 'ready'];

export function startChromium({ host, sites, assets, messages }) {
  const ports = new SitePorts({ sites, assets, isOn });
  const enterRule = new EnterRule(host);

  function isOn(site) {
    return sites.docsOfSite(site).some(record => OPEN_STATES.includes(record.state));
  }

  // A port outlives its page, and its worker learns here what has become of the site: a switched zone works at once.
  sites.onChange(site => {
    ports.tell(site, isOn(site));
    for (const record of sites.docsOfSite(site)) {
      if (record.zone) enterRule.chosenIs(site, record.chosen ? record.zone : null);
      api.tabs.sendMessage(record.tab, { type: 'look' }, { frameId: 0 }).catch(() => {});
    }
  });

  messages.on('page.hello', {
    from: 'page',
    ahead: true,
    check: ({ page, controlled }) => isPageName(page) && typeof controlled === 'boolean',
    handle: async ({ page, controlled }, sender) => {
      await sites.restored;
      const { tab, origin, frameId } = sender;
      const record = isAhead(sender) ? sites.tiePageAhead(tab.id, frameId, origin, page) : sites.tiePage(tab.id, origin, page);
      if (record && controlled) await enterRule.entered(record.site);
      await record?.opened;
      return workerFor(record ?? (isAhead(sender) ? null : sites.docOfTab(tab.id)));
    },
  });
  messages.on('page.registered', {
    from: 'page',
    handle: (message, { origin }) => enterRule.entered(origin),
  });
  messages.on('page.ownWorker', {
    from: 'page',
    handle: (message, { tab, origin }) => {
      if (sites.docOfTab(tab.id)?.site === origin || enterRule.knows(origin)) sites.ownWorkerBegins(tab.id, origin);
    },
  });
  messages.on('page.enter', {
    from: 'page',
    check: ({ page }) => isPageName(page),
    // The rule is gone before the page may leave, or it would come straight back here.
    handle: async (message, { tab, origin }) => {
      enterRule.arrived(tab.id);
      await enterRule.tried(origin);
      return { worker: host.ready ? 'register' : 'leave' };
    },
  });
}

/** What is to become of the site's worker: "register", "remove" or "leave". */
function workerFor(record) {
  if (!record) return { worker: 'leave' };
  if (record.state === 'ready') return { worker: 'register', seq: record.seq };
  const unwanted = record.state === 'off' || record.state === 'unlabelled';
  return { worker: unwanted ? 'remove' : 'leave' };
}

function isPageName(text) {
  return typeof text === 'string' && /^[0-9a-f-]{36}$/.test(text);
}
