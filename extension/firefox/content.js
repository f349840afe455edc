// Content script for Firefox: registers the site's worker where the visitor wants Fringe. The extension answers requests by
// itself here, but for fetch and XHR only with a status the page must not see; the worker, registered under this name, puts
// that right (site/fringe-sw.js). It runs beside the page's scripts and holds nothing they could use.
(() => {
  const workers = navigator.serviceWorker;
  if (window.top !== window || !workers || !chrome.runtime.getURL('').startsWith('moz-extension:')) return;

  const WORKER = '/fringe-sw.js?via=filter';

  const isOurs = worker => Boolean(worker) && new URL(worker.scriptURL).pathname === '/fringe-sw.js';

  /** The registration that covers the whole site, if there is one. */
  async function rootRegistration() {
    const registration = await workers.getRegistration('/');
    return registration?.scope === `${location.origin}/` ? registration : null;
  }

  /** Registering over a site's own root worker would replace it, so that is left alone. */
  async function register() {
    const registration = await rootRegistration();
    if (registration && !isOurs(registration.active ?? registration.waiting ?? registration.installing)) return;
    await workers.register(WORKER, { updateViaCache: 'none' });
  }

  async function remove() {
    const registration = await rootRegistration();
    if (registration && isOurs(registration.active)) await registration.unregister();
  }

  async function apply(message) {
    if (message?.worker === 'register') await register();
    if (message?.worker === 'remove') await remove();
  }

  // A worker that nobody greets finds that the extension is gone, and leaves. A page that the browser keeps for the back button hears
  // nothing, or it could not be kept.
  function listen() {
    const channel = new BroadcastChannel('fringe');
    channel.onmessage = event => {
      if (event.data === 'need' && chrome.runtime?.id) workers.controller?.postMessage({ fringe: 'filter' });
    };
    addEventListener('pagehide', () => channel.close(), { once: true });
  }
  listen();
  addEventListener('pageshow', event => event.persisted && listen());
  chrome.runtime.onMessage.addListener(message => {
    if (message?.type === 'worker') apply(message).catch(() => {});
  });
  chrome.runtime.sendMessage({ type: 'page.worker' }).then(apply).catch(() => {});
})();
