// First visits in Chromium: the way through a site's enter page, once, and whatever can be wrong with it. Each case has a site of its
// own, which no visitor has been to, and is held to the same: the visitor gets the page he asked for, whole, and the site is not asked for
// its enter page again.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { newMockVisitor } from './lib/mock.js';
import { patientExtension } from './lib/patient.js';
import { problemsShown, waitForHost } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { ENTER_PAGE, scriptedSites } from './lib/scripted.js';
import { fetchInPage, waitForWorker } from './lib/small-site.js';

/** Less than a patient extension has, so that nobody waits long for what hangs, and more than a loaded machine needs. */
const LIMITS = { 'chromium/content.js': { ENTER_MS: 5000, BRIDGE_MS: 5000 }, 'chromium/enter-rule.js': { COME_MS: 5000 } };
/** What a page in the enter page's place must not come to do. */
const LOST = '<!doctype html><title>lost</title><script>fetch("/lost"); setInterval(() => history.pushState(0, "", "/lost-as-well"), 20);</script>';
const OWN_WORKER = "addEventListener('install', () => skipWaiting()); addEventListener('activate', event => event.waitUntil(clients.claim()));";

/** What sites do with a request for their enter page: `true` when that is all. */
const BROKEN = {
  'is missing': (site, response) => site.send(response, { status: 404, label: '', body: LOST }),
  'is missing, in plain text': (site, response) => site.send(response, { status: 404, type: 'text/plain', body: 'no' }),
  'is another page, as on sites of one page': (site, response) => site.send(response, { body: LOST }),
  'fails': (site, response) => site.send(response, { status: 500, body: LOST }),
  'is of another type': (site, response) => site.send(response, { type: 'application/octet-stream', label: '', body: LOST }),
  'is empty': (site, response) => response.writeHead(204).end(),
  'is redirected to the front page': (site, response) => site.send(response, { status: 302, headers: { location: '/front' } }),
  'is redirected to another site': (site, response) => site.send(response, { status: 301, headers: { location: `${sites.start.url}/other` } }),
  'is redirected to itself': (site, response, { path, query }) => site.send(response, { status: 302, headers: { location: path + query } }),
  'breaks off': (site, response) => response.destroy(),
  'never comes': () => {},
  'begins and never comes': (site, response) => response.writeHead(200, { 'content-type': 'text/html' }).flushHeaders(),
};
/** These have taken the page's place in the tab before anybody can say so: one step more in its history. */
const SHOWN = ['breaks off', 'begins and never comes'];
const WORKERS = {
  'is missing': (site, response) => site.send(response, { status: 404, label: '' }),
  'is of another type': (site, response) => site.send(response, { type: 'text/plain', body: OWN_WORKER }),
  'fails as it begins': (site, response) => site.send(response, { type: 'text/javascript', body: 'throw new Error("no")' }),
  'fails to install': (site, response) => site.send(response, { type: 'text/javascript', body: 'addEventListener("install", event => event.waitUntil(Promise.reject()))' }),
  'never comes': () => {},
};
const NAMES = ['start', 'first', 'back', 'tabs', 'window', 'post', 'framed', 'script', 'labelled', 'off', 'cleared', 'unregistering', 'own', 'ownPassing', 'composed',
  'noScripts', 'noStorage', 'once', 'ahead', 'prefetched', ...Object.keys(BROKEN).map(name => `enter ${name}`), ...Object.keys(WORKERS).map(name => `worker ${name}`)];

const scope = new Scope();
const sites = {};
let visitor;
let extension;
let chromium;

before(async () => {
  extension = patientExtension(scope);
  for (const [file, limits] of Object.entries(LIMITS)) setLimits(join(extension, file), limits);
  const all = await scriptedSites(scope, { extension });
  for (const name of NAMES) sites[name] = await all.add();
  const releases = Object.values(sites).map(site => [site.url, site.release]);
  visitor = newMockVisitor(scope, 'anna', { sites: Object.fromEntries(releases.filter(([url]) => url !== sites.start.url)) });
  sites.start.label = '';
  chromium = await open();
});
after(() => scope.close());

function setLimits(file, limits) {
  let text = readFileSync(file, 'utf8');
  for (const [name, ms] of Object.entries(limits)) {
    assert.match(text, new RegExp(`const ${name} = \\d+;`));
    text = text.replace(new RegExp(`const ${name} = \\d+;`), `const ${name} = ${ms};`);
  }
  writeFileSync(file, text);
}

async function open() {
  const blocked = site => ({ [`${site.url},*`]: { setting: 2 } });
  const opened = await openChromium(scope, visitor, {
    origins: Object.values(sites), extension, without: ['--disable-back-forward-cache'],
    preferences: { profile: { content_settings: { exceptions: { javascript: blocked(sites.noScripts), cookies: blocked(sites.noStorage) } } } },
  });
  await waitForHost(opened);
  return opened;
}

/** The page has come to `url`, and whole: its script from the shared folder has run. */
async function isThere(page, url) {
  await waitFor(`the page ${url}`, async () => {
    const at = await page.evaluate(() => ({ url: location.href, whole: window.ran === true && document.readyState === 'complete' }));
    if (at.url !== url || !at.whole) throw new Error(`it is at ${JSON.stringify(at)}`);
    return true;
  });
}

async function visit(url, page) {
  page ??= await chromium.newPage();
  await page.goto(url).catch(() => {}); // another navigation took its place
  await isThere(page, url);
  return page;
}

const historyLength = page => page.evaluate(() => history.length);

/** What the site has been asked for, beside icons and the worker, which browsers fetch at their own times. */
const asked = site => site.paths().filter(path => !/favicon|fringe-sw/.test(path));

/** Further visits come without a detour. */
async function staysEntered(site) {
  site.mark();
  const page = await visit(`${site.url}/again`);
  await page.reload();
  await isThere(page, `${site.url}/again`);
  assert.equal(site.entered, 0);
  assert.equal(await historyLength(page), 2);
  await page.close();
}

test('the page that was asked for is there, in the hands of the worker, and nothing else of the way can be seen', async () => {
  const site = sites.first;
  const page = await visit(`${sites.start.url}/`);
  const url = `${site.url}/deep/link?from=a&b=%20c&to=/x#part?a`;
  await page.evaluate(address => { location.href = address; }, url);
  await isThere(page, url);
  assert.deepEqual(asked(site), ['GET /deep/link?from=a&b=%20c&to=/x', `GET ${ENTER_PAGE}?to=/deep/link?from=a&b=%20c&to=/x`, 'GET /deep/link?from=a&b=%20c&to=/x']);
  const seen = await page.evaluate(() => [history.length, history.state, document.referrer, performance.getEntriesByType('navigation')[0].type]);
  assert.deepEqual(seen, [3, null, '', 'navigate'], 'no referrer, rather than a wrong one');
  await staysEntered(site);
  assert.deepEqual(site.paths('/static/'), []);
  await page.close();
});

test('back and forward lead where they would without Fringe, also by the browser\'s cache of pages', async () => {
  const site = sites.back;
  const page = await visit(`${sites.start.url}/one`);
  const go = async (step, url) => {
    await page.evaluate(way => { setTimeout(() => history[way](), 0); }, step);
    await isThere(page, url);
  };
  for (const url of [`${site.url}/a?x#y`, `${site.url}/b`]) {
    await page.evaluate(address => { location.href = address; }, url);
    await isThere(page, url);
  }
  await waitForWorker(page);
  await page.evaluate(() => { window.same = 'b'; });
  await go('back', `${site.url}/a?x#y`);
  await page.evaluate(() => { window.same = 'a'; });
  await go('back', `${sites.start.url}/one`);
  await go('forward', `${site.url}/a?x#y`);
  assert.equal(await page.evaluate(() => window.same), 'a', 'the very page, as it was left');
  // Another page speaks to the worker meanwhile, which asks all pages who they are.
  const other = await visit(`${site.url}/other`);
  await fetchInPage(other, '/static/small.txt', { cache: 'no-store' });
  await other.close();
  await go('forward', `${site.url}/b`);
  assert.equal(await page.evaluate(() => window.same), 'b');
  site.mark();
  assert.equal((await fetchInPage(page, '/static/small.txt', { cache: 'no-store' })).bytes, 13);
  assert.deepEqual(site.paths('/static/'), [], 'its files come from the host as before');
  assert.equal(await historyLength(page), 4);
  assert.equal(site.entered, 0);
  await page.close();
});

test('going back to a page that takes part only now: it is entered, and what lies ahead stays', async () => {
  const site = sites.labelled;
  const { label } = site;
  site.label = '';
  const page = await visit(`${site.url}/one`);
  await visit(`${site.url}/two?`, page);
  await visit(`${sites.start.url}/three`, page);
  site.label = label;
  await page.evaluate(() => { setTimeout(() => history.go(-2), 0); });
  await isThere(page, `${site.url}/one`);
  await page.reload().catch(() => {});
  await isThere(page, `${site.url}/one`);
  assert.equal(site.entered, 1);
  await page.evaluate(() => { setTimeout(() => history.forward(), 0); });
  await isThere(page, `${site.url}/two?`);
  assert.equal(await historyLength(page), 4);
  await page.close();
});

for (const [name, answer] of Object.entries(BROKEN)) {
  test(`an enter page that ${name}: once, and the page comes whole`, async () => {
    const site = sites[`enter ${name}`];
    site.set((request, response) => request.path === ENTER_PAGE && (answer(site, response, request), true));
    const url = `${site.url}/a?b=c#d`;
    const page = await visit(url);
    assert.equal(await historyLength(page), SHOWN.includes(name) ? 3 : 2);
    await new Promise(resolve => setTimeout(resolve, 100));
    assert.equal(page.url(), url);
    assert.deepEqual(site.paths('/lost'), []);
    // A connection that breaks is tried again by the browser, and our rules change a moment after a redirect.
    assert.ok(site.entered >= 1 && site.entered <= 4, `${site.entered} times`);
    await waitForWorker(page);
    await page.close();
    await staysEntered(site);
  });
}

for (const [name, answer] of Object.entries(WORKERS)) {
  test(`a worker that ${name}: the page comes from the site, and the way is not tried again`, async () => {
    const site = sites[`worker ${name}`];
    site.set((request, response) => request.path === '/fringe-sw.js' && (answer(site, response), true));
    const page = await visit(`${site.url}/a?b=c#d`);
    assert.equal(await historyLength(page), 2);
    assert.equal(site.entered, 1);
    assert.deepEqual(site.paths('/static/'), ['GET /static/page.js']);
    await page.close();
    await staysEntered(site);
  });
}

test('two tabs at once, and one that a page opens', async () => {
  const site = sites.tabs;
  const pages = await Promise.all(['/one', '/two'].map(path => visit(site.url + path)));
  assert.ok(site.entered <= 2);
  assert.deepEqual(await Promise.all(pages.map(historyLength)), [2, 2]);
  for (const page of pages) await page.close();
  await staysEntered(site);

  const opener = await visit(`${sites.start.url}/`);
  const opened = new Promise(resolve => { opener.once('popup', resolve); });
  await opener.evaluate(url => { window.child = window.open(url, 'child'); }, `${sites.window.url}/child?a#b`);
  const child = await opened;
  await isThere(child, `${sites.window.url}/child?a#b`);
  assert.deepEqual(await child.evaluate(() => [name, opener !== null, history.length]), ['child', true, 1]);
  await opener.evaluate(() => window.child.close());
  await opener.close();
});

test('what is sent to a site, and frames, take no detour', async () => {
  const page = await visit(`${sites.start.url}/`);
  await page.evaluate(url => {
    document.body.innerHTML = `<form method="post" action="${url}"><input name="a" value="b"></form>`;
    document.forms[0].submit();
  }, `${sites.post.url}/form?x`);
  await isThere(page, `${sites.post.url}/form?x`);
  assert.deepEqual(asked(sites.post).slice(0, 1), ['POST /form?x']);
  assert.equal(sites.post.entered, 0);
  await visit(`${sites.start.url}/`, page);
  await page.evaluate(url => { document.body.append(Object.assign(document.createElement('iframe'), { src: url })); }, `${sites.framed.url}/inner`);
  const inner = await waitFor('the frame', () => page.frames().find(frame => frame.url() === `${sites.framed.url}/inner`));
  await waitFor('its page', () => inner.evaluate(() => window.ran === true));
  assert.deepEqual(asked(sites.framed), ['GET /inner', 'GET /static/page.js']);
  await page.close();
});

test('a page whose script leads on to another', async () => {
  const site = sites.script;
  site.set(({ path }, response) => path === '/from' && (site.send(response, { body: '<script>location.replace("/to?x#y")</script>' }), true));
  const page = await visit(`${sites.start.url}/`);
  await page.evaluate(url => { location.href = url; }, `${site.url}/from`);
  await isThere(page, `${site.url}/to?x#y`);
  assert.deepEqual(asked(site), ['GET /from', `GET ${ENTER_PAGE}?to=/from`, 'GET /from', 'GET /to?x']);
  assert.equal(await historyLength(page), 3);
  await page.close();
});

test('what a site gives only once, or is no page, is asked for once', async () => {
  const site = sites.once;
  const answers = {
    '/token': response => site.send(response, { headers: { 'cache-control': 'private, no-store' }, body: '<script src="/static/page.js"></script>' }),
    '/login': response => site.send(response, { status: 302, headers: { location: '/token?in' } }),
    '/nothing': response => response.writeHead(204, { link: site.label }).end(),
    '/file': response => site.send(response, { headers: { 'content-disposition': 'attachment; filename="x.html"' }, body: 'x' }),
    '/picture.svg': response => site.send(response, { type: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg"/>' }),
  };
  site.set(({ path }, response) => answers[path] && (answers[path](response), true));
  const page = await visit(`${site.url}/token`);
  await page.goto(`${site.url}/login`);
  await isThere(page, `${site.url}/token?in`);
  for (const path of ['/nothing', '/file']) {
    await page.goto(site.url + path).catch(() => {});
    assert.equal(page.url(), `${site.url}/token?in`, path);
  }
  await page.goto(`${site.url}/picture.svg`);
  assert.equal(page.url(), `${site.url}/picture.svg`);
  const wanted = ['GET /token', 'GET /login', 'GET /token?in', 'GET /nothing', 'GET /file', 'GET /picture.svg'];
  assert.deepEqual(asked(site).filter(path => !path.includes('/static/')), wanted);
  await page.close();
});

test('a site that is off is not entered', async () => {
  const site = sites.off;
  visitor.mock.set({ sites: { ...visitor.mock.config.sites, [site.url]: { ...site.release, zone: 'off' } } });
  const worker = await chromium.extensionWorker();
  await waitFor('the rules', () => worker.evaluate(async url => (await chrome.declarativeNetRequest.getSessionRules())
    .some(({ condition }) => condition.urlFilter?.includes(url)), site.url));
  const page = await visit(`${site.url}/`);
  assert.deepEqual(asked(site), ['GET /', 'GET /static/page.js']);
  await page.close();
});

/** Opens the site while it takes no part yet, so that it has a worker of its own, and then as one that does. */
async function withOwnWorker(site, script) {
  const { label } = site;
  site.label = '';
  site.set(({ path }, response) => path === '/own.js' && (site.send(response, { type: 'text/javascript', body: script }), true));
  const page = await visit(`${site.url}/`);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/own.js');
    await navigator.serviceWorker.ready;
  });
  await waitForWorker(page);
  site.label = label;
  site.mark();
  await visit(`${site.url}/a?b#c`, page);
  await page.reload();
  await isThere(page, `${site.url}/a?b#c`);
  return page;
}

const workersOf = page => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ active }) => new URL(active.scriptURL).pathname));

for (const [name, script] of [['own', OWN_WORKER], ['ownPassing', `${OWN_WORKER} addEventListener('fetch', event => event.respondWith(fetch(event.request)));`]]) {
  test(`a site's own worker is never replaced, and the popup says why nothing is shared (${name})`, async () => {
    const site = sites[name];
    // The site is known, as after an earlier visit; a worker that answers for documents hides their label.
    if (name === 'ownPassing') await (await visit(`${site.url}/earlier`)).evaluate(async () => (await navigator.serviceWorker.getRegistration()).unregister());
    const page = await withOwnWorker(site, script);
    assert.deepEqual(await workersOf(page), ['/own.js']);
    assert.ok(site.entered <= 1);
    await waitFor('the popup to say so', async () => {
      const said = await problemsShown(chromium, page);
      assert.deepEqual(said.map(({ id }) => id), ['own-worker']);
      assert.ok(said[0].title.length > 10 && said[0].help.length > 20);
      return true;
    });
    assert.deepEqual(await workersOf(page), ['/own.js']);
    await visit(`${sites.start.url}/`, page);
    assert.deepEqual(await problemsShown(chromium, page), []);
    await page.close();
  });
}

test('a site\'s own worker that lets ours in: nothing to complain of', async () => {
  const site = sites.composed;
  const page = await withOwnWorker(site, `self.FRINGE = { composed: true }; importScripts('/fringe-sw.js'); ${OWN_WORKER}`);
  assert.deepEqual(await workersOf(page), ['/own.js']);
  site.mark();
  await waitFor('files from the host', async () => {
    const before = site.paths('/static/').length;
    await fetchInPage(page, '/static/small.txt', { cache: 'no-store' });
    return site.paths('/static/').length === before;
  });
  assert.deepEqual(await problemsShown(chromium, page), []);
  await page.close();
});

test('a site that removes our worker, or clears all it has stored: its pages come, and it is not entered again', async () => {
  const removing = '<script src="/static/page.js"></script><script>navigator.serviceWorker.getRegistrations().then(all => all.forEach(each => each.unregister()))</script>';
  const site = sites.unregistering;
  site.set(({ path }, response) => path.startsWith('/page') && (site.send(response, { body: removing }), true));
  const page = await visit(`${site.url}/page`);
  for (const path of ['/page2', '/page3']) await visit(site.url + path, page);
  assert.equal(site.entered, 1);

  const other = sites.cleared;
  other.set(({ path, query }, response) => path === '/page' && (other.send(response, {
    body: '<script src="/static/page.js"></script>', headers: { 'set-cookie': 'a=b', 'clear-site-data': query === '?all' ? '"*"' : '"cookies", "storage"' },
  }), true));
  await visit(`${other.url}/page`, page);
  for (const query of ['?all', '?storage', '?all']) await visit(`${other.url}/page${query}`, page);
  await visit(`${other.url}/`, page);
  assert.equal(other.entered, 1);
  // In the end its worker is there as anywhere.
  await waitForWorker(page);
  await page.close();
});

test('scripts or storage forbidden for the site', async () => {
  const page = await chromium.newPage();
  await page.goto(`${sites.noScripts.url}/a?b#c`).catch(() => {});
  await waitFor('the page', () => page.url() === `${sites.noScripts.url}/a?b#c` && sites.noScripts.paths('/a').length === 2);
  await visit(`${sites.noStorage.url}/a?b#c`, page);
  await visit(`${sites.noStorage.url}/d`, page);
  assert.deepEqual([sites.noScripts.entered, sites.noStorage.entered], [1, 1]);
  await page.close();
});

/** Has the browser load `/next` ahead from a page that takes no part, so that the site is not entered by it. */
async function loadAhead(site, how) {
  const { label } = site;
  site.set(({ path }, response) => path === '/before' && (site.send(response, { label: '', body: '<script src="/static/page.js"></script>' }), true));
  const page = await visit(`${site.url}/before`);
  await page.evaluate(kind => {
    const rules = { [kind]: [{ urls: ['/next'], eagerness: 'immediate' }] };
    document.head.append(Object.assign(document.createElement('script'), { type: 'speculationrules', textContent: JSON.stringify(rules) }));
  }, how);
  await waitFor('the page to be loaded ahead', () => site.paths('/next').length > 0);
  assert.equal(label, site.label);
  return page;
}

for (const [how, name] of [['prerender', 'ahead'], ['prefetch', 'prefetched']]) {
  test(`a page that the browser loads ahead (${how}) is entered when the visitor comes to it, and later ones are not`, async () => {
    const site = sites[name];
    const page = await loadAhead(site, how);
    await page.evaluate(() => { setTimeout(() => { location.href = '/next'; }, 300); });
    // The driver of the browser loses a page that was loaded ahead: the browser's own list of tabs knows it.
    const popup = await chromium.openExtensionPage('popup/popup.html');
    await waitFor('the next page', () => popup.evaluate(async url => (await chrome.tabs.query({})).some(tab => tab.url === url && tab.status === 'complete'), `${site.url}/next`));
    await popup.close();
    assert.ok(site.entered <= 1);
    await page.close().catch(() => {});
    await staysEntered(site);
  });
}

test('a browser that is started again knows where it has been', async () => {
  await chromium.close();
  chromium = await open();
  for (const site of [sites.first, sites['enter is missing'], sites['worker is missing']]) await staysEntered(site);
});
