// Content script for Chromium: registers the site's worker where the visitor wants Fringe, introduces it to the extension, and
// serves the enter page of a first visit. It runs beside the page's scripts and holds nothing they could use.
(() => {
  if (window.top !== window || !chrome.runtime.getURL('').startsWith('chrome-extension:')) return;
  const workers = serviceWorkers();

  const WORKER = '/fringe-sw.js';
  const ENTER_PAGE = '/.well-known/fringe/enter.html';
  const BRIDGE_MS = 3000;
  const ENTER_MS = 1500;
  const bridge = chrome.runtime.getURL('chromium/bridge.html');
  // The name under which worker and background know this page; the page itself never learns it.
  const page = crypto.randomUUID();
  // A page that began without the worker may be taken over while it is open.
  const takenOver = !workers?.controller;
  let introducing = null;

  /** Not there in a page that is sandboxed. */
  function serviceWorkers() {
    try {
      return navigator.serviceWorker;
    } catch {
      return null;
    }
  }

  const isOurs = worker => Boolean(worker) && new URL(worker.scriptURL).pathname === WORKER;
  const alive = () => Boolean(chrome.runtime?.id);

  /** Tells the worker which page this is; answers {need, seq}, or null when it is silent. */
  function hello() {
    return new Promise(resolve => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = event => resolve(event.data);
      setTimeout(resolve, BRIDGE_MS, null);
      workers.controller.postMessage({ fringe: 'hello', page, takenOver }, [port2]);
    });
  }

  async function greet() {
    if (!workers.controller || !alive()) return null;
    const answer = await hello();
    if (answer?.need) await introduce();
    return answer;
  }

  /** Gives worker and extension the two ends of a channel, through a frame of the extension. */
  function introduce() {
    introducing ??= showBridge().finally(() => {
      introducing = null;
    });
    return introducing;
  }

  function showBridge() {
    const box = document.createElement('div');
    box.style.cssText = 'display: none !important';
    const frame = document.createElement('iframe');
    frame.src = bridge;
    const done = new Promise(resolve => {
      frame.onload = () => passPorts(frame, resolve);
      setTimeout(resolve, BRIDGE_MS);
    });
    box.attachShadow({ mode: 'closed' }).append(frame);
    (document.documentElement ?? document).append(box);
    return done.finally(() => box.remove());
  }

  function passPorts(frame, done) {
    if (!workers.controller) return done();
    const link = new MessageChannel();
    const answer = new MessageChannel();
    answer.port1.onmessage = done;
    workers.controller.postMessage({ fringe: 'port' }, [link.port2]);
    frame.contentWindow.postMessage({ fringe: 'port' }, new URL(bridge).origin, [link.port1, answer.port2]);
  }

  /** The registration that covers the whole site, if there is one. */
  async function rootRegistration() {
    const registration = await workers.getRegistration('/');
    return registration?.scope === `${location.origin}/` ? registration : null;
  }

  /** False when no worker of ours is there in the end. Registering over a site's own root worker would replace it, so that is left alone. */
  async function register() {
    const registration = await rootRegistration();
    const present = registration ? [registration.installing, registration.waiting, registration.active] : [];
    if (!present.filter(Boolean).every(isOurs)) return false;
    const { active, installing } = await workers.register(WORKER, { updateViaCache: 'none' });
    // A worker that was active before, and unregistered for a while, does not take this page over by itself.
    if (!workers.controller) active?.postMessage({ fringe: 'claim' });
    const installed = await isInstalled(installing);
    if (installed) ask('page.registered').catch(() => {});
    return installed;
  }

  /** False once it is clear that the worker will not do; true where there is none to install. */
  function isInstalled(worker) {
    if (worker?.state !== 'installing') return true;
    return new Promise(resolve => {
      worker.addEventListener('statechange', () => resolve(worker.state !== 'redundant'), { once: true });
    });
  }

  async function remove() {
    const registration = await rootRegistration();
    if (registration && isOurs(registration.active)) await registration.unregister();
  }

  async function apply({ worker, seq }) {
    if (worker === 'register') await register();
    if (worker === 'remove') await remove();
    if (seq && isOurs(workers.controller)) await refresh(seq);
  }

  /** A page of a newer release brings the worker up to date at once. */
  async function refresh(seq) {
    const answer = await hello();
    if (answer && answer.seq !== seq) await (await rootRegistration())?.update();
  }

  async function ask(type, fields = {}) {
    return await chrome.runtime.sendMessage({ type, page, ...fields }) ?? {};
  }

  /** Introduces the page to worker and background, and does what the background says about the worker. */
  async function begin() {
    const greeted = greet();
    const answer = await ask('page.hello', { controlled: isOurs(workers.controller) });
    await apply(answer);
    // A worker of the site's own that does not answer leaves us no way to this page. The popup says so.
    if (workers.controller && !isOurs(workers.controller) && !await greeted) await ask('page.ownWorker');
  }

  /** Without the site's worker a first visit would come from the site whole: register it, then go where the visitor wanted. */
  async function enter(target) {
    const go = once(() => leave(target));
    const isReal = document.documentElement?.dataset.fringe === 'enter';
    // Some other page in its place, such as "not found": nothing of it is shown or run.
    if (!isReal) window.stop();
    setTimeout(go, ENTER_MS);
    try {
      const { worker } = await ask('page.enter');
      if (isReal && workers && worker === 'register') await takeControl();
    } finally {
      go();
    }
  }

  async function takeControl() {
    const controlled = new Promise(resolve => workers.addEventListener('controllerchange', resolve, { once: true }));
    if (!await register()) return;
    if (!workers.controller) await controlled;
    // The introduction goes on while the site answers for the page.
    greet().catch(() => {});
  }

  /** The page that follows is told of no referrer: this one would be a wrong one. */
  function leave(target) {
    const policy = document.createElement('meta');
    Object.assign(policy, { name: 'referrer', content: 'no-referrer' });
    (document.head ?? document.documentElement)?.append(policy);
    location.replace(target);
  }

  /** Where the enter page leads: a place on this site, or nowhere. */
  function enterTarget() {
    if (location.pathname !== ENTER_PAGE || !location.search.startsWith('?to=/')) return null;
    const target = new URL(location.origin + location.search.slice('?to='.length));
    if (target.origin !== location.origin || target.pathname === ENTER_PAGE) return null;
    target.hash ||= location.hash;
    return target.href;
  }

  function once(fn) {
    let ran = false;
    return () => {
      if (!ran) fn();
      ran = true;
    };
  }

  /** What a page hears while the browser keeps it for the back button would keep it from coming back. */
  function listen() {
    const channel = new BroadcastChannel('fringe');
    channel.onmessage = event => {
      if (event.data === 'need') greet();
    };
    addEventListener('pagehide', () => channel.close(), { once: true });
  }

  function attend() {
    workers.addEventListener('controllerchange', () => greet());
    listen();
    chrome.runtime.onMessage.addListener(message => {
      if (message?.type === 'look') begin().catch(() => {});
    });
    addEventListener('pageshow', event => {
      if (!event.persisted) return;
      listen();
      begin().catch(() => {});
    });
    begin().catch(() => {});
    if (document.prerendering) onceShown(() => begin().catch(() => {}));
  }

  /** Runs `fn` as soon as the visitor sees the page, which the browser may have loaded ahead. */
  function onceShown(fn) {
    if (document.prerendering) document.addEventListener('prerenderingchange', fn, { once: true });
    else fn();
  }

  const target = enterTarget();
  if (target) onceShown(() => enter(target).catch(() => {}));
  else if (workers) attend();
})();
