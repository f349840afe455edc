// Chromium and what changes around a page: releases, workers that stop, the way back, sites with a worker of their own, sites
// whose enter page is not there.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { deployMock, newMockVisitor, writeSiteFiles } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './lib/small-site.js';

const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/static/page.js"></script><a href="/next.html">next</a>';
const ENTER_PAGE = '/.well-known/fringe/enter.html';

const scope = new Scope();
const patient = patientExtension(scope);
let count = 0;
after(() => scope.close());

/** A site of its own for one test, and a visitor of it. */
async function setUp({ seq = 1, pages = {}, conf = '', files = {}, prepare = () => {} } = {}) {
  const origin = await startOrigin(scope, { conf });
  writeSmallSite(origin.root, { pages: { 'index.html': PAGE, 'next.html': PAGE, ...pages }, files, bigBytes: 200_000 });
  const entry = await deployMock(origin, { seq, extension: patient });
  await prepare(origin);
  const visitor = newMockVisitor(scope, `anna${++count}`, { sites: { [origin.url]: entry } });
  const chromium = await openChromium(scope, visitor, { origins: [origin], extension: patient });
  await waitForHost(chromium);
  return { origin, entry, chromium, mock: visitor.mock };
}

async function open(chromium, url) {
  const page = await chromium.newPage();
  await page.goto(url);
  await arrived(page, url);
  return page;
}

/** The page the visitor wanted is there, whatever the way. */
function arrived(page, url) {
  return waitFor(url, () => page.evaluate(address => location.href === address && window.ran === true && document.readyState === 'complete', url));
}

async function fromOrigin(origin, page, path = '/static/big.bin') {
  origin.mark();
  const { status } = await fetchInPage(page, path, { cache: 'no-store' });
  assert.equal(status, 200);
  return origin.bytes('/static/');
}

test('each page keeps to the release it came with', async () => {
  const { origin, entry, chromium, mock } = await setUp({ seq: 41, files: { 'static/which.txt': 'release 41' } });
  const old = await open(chromium, `${origin.url}/`);
  await waitForWorker(old);
  assert.equal(await fromOrigin(origin, old), 0);

  // The site publishes: another root stands for the files of release 41, which only the host still has.
  const before = scope.folder('old');
  writeSmallSite(before, { files: { 'static/which.txt': 'release 41' } });
  writeFileSync(join(origin.root, 'static', 'which.txt'), 'release 42');
  writeSiteFiles(origin.root, { seq: 42, bases: ['/static/'] }, patient);
  await origin.label(42);
  mock.set({ sites: { [origin.url]: { ...entry, seq: 42, roots: { 41: before } } } });

  const young = await open(chromium, `${origin.url}/next.html`);
  const read = page => page.evaluate(async () => (await fetch('/static/which.txt', { cache: 'no-store' })).text());
  origin.mark();
  assert.equal(await read(young), 'release 42');
  assert.equal(await read(old), 'release 41');
  assert.equal(await read(young), 'release 42');
  assert.deepEqual(origin.requests('/static/'), []);
  // The new release's worker is fetched by itself and takes over as soon as the old one is idle. The old page stays where it was.
  await waitFor('the new worker', () => young.evaluate(newWorkerIsThere));
  assert.equal(await read(old), 'release 41');
  await chromium.close();
});

/** Runs in the page: true when the worker of release 42 waits or works. */
async function newWorkerIsThere() {
  const registration = await navigator.serviceWorker.getRegistration('/');
  if (registration.waiting || registration.installing) return true;
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise(resolve => {
    port1.onmessage = event => resolve(event.data);
    setTimeout(resolve, 1000, {});
  });
  navigator.serviceWorker.controller.postMessage({ fringe: 'hello', page: 'probe' }, [port2]);
  return (await answer).seq === 42;
}

test('the label may stand in the document', async () => {
  const link = '<!doctype html><link rel="fringe" href="/.well-known/fringe/release.json" data-seq="5"><script src="/static/page.js"></script>';
  const { origin, chromium, mock } = await setUp({ seq: 5, pages: { 'in-page.html': link }, prepare: async site => {
    site.headers = {};
    await site.restart();
  } });
  const page = await open(chromium, `${origin.url}/in-page.html`);
  await waitForWorker(page);
  assert.equal(await fromOrigin(origin, page), 0);
  assert.equal(mock.asked('site.open')[0].seq, 5);

  const plain = await open(chromium, `${origin.url}/next.html`);
  assert.equal(await fromOrigin(origin, plain), 200_000, 'a page without a label takes no part');
  await chromium.close();
});

test('the way back leads past the enter page', async () => {
  const { origin, chromium } = await setUp();
  const page = await open(chromium, `${origin.url}/?first`);
  await Promise.all([page.waitForNavigation(), page.click('a')]);
  await arrived(page, `${origin.url}/next.html`);
  await page.goBack();
  await arrived(page, `${origin.url}/?first`);
  assert.equal(await fromOrigin(origin, page), 0, 'kept alive or loaded again, it is served');
  await page.goBack();
  assert.equal(page.url(), 'about:blank');
  await chromium.close();
});

const BROKEN_ENTER_PAGES = {
  'is missing': { prepare: site => rmSync(join(site.root, ENTER_PAGE)) },
  'is redirected': { conf: `location = ${ENTER_PAGE} { return 302 /next.html; }` },
  'closes the connection': { conf: `location = ${ENTER_PAGE} { return 444; }` },
};
for (const [name, setting] of Object.entries(BROKEN_ENTER_PAGES)) {
  test(`an enter page that ${name} costs one detour and no page`, async () => {
    const { origin, chromium } = await setUp(setting);
    const page = await chromium.newPage();
    await page.goto(`${origin.url}/?deep=1`).catch(() => {});
    await arrived(page, `${origin.url}/?deep=1`);
    origin.mark();
    await page.goto(`${origin.url}/?again`);
    await arrived(page, `${origin.url}/?again`);
    assert.equal(origin.requests(ENTER_PAGE).length, 0);
    await waitForWorker(page);
    assert.equal(await fromOrigin(origin, page), 0, 'the worker is registered all the same');
    await chromium.close();
  });
}

test('a site\'s own root worker is not replaced', async () => {
  const { origin, chromium } = await setUp({
    files: { 'own.js': 'addEventListener("install", () => skipWaiting()); addEventListener("activate", event => event.waitUntil(clients.claim()));' },
    pages: { 'index.html': `${PAGE}<script>navigator.serviceWorker.register('/own.js')</script>` },
  });
  const page = await open(chromium, `${origin.url}/`);
  const script = () => page.evaluate(async () => (await navigator.serviceWorker.ready).active.scriptURL);
  await waitFor('its own worker', async () => await script() === `${origin.url}/own.js`);
  await page.goto(`${origin.url}/next.html`);
  await arrived(page, `${origin.url}/next.html`);
  await new Promise(resolve => setTimeout(resolve, 500));
  assert.equal(await script(), `${origin.url}/own.js`);
  await chromium.close();
});

test('a site\'s own worker composed with ours does both', async () => {
  const own = `self.FRINGE = { composed: true }; importScripts('/fringe-sw.js');
    addEventListener('install', () => skipWaiting());
    addEventListener('activate', event => event.waitUntil(clients.claim()));
    addEventListener('fetch', event => {
      if (event.request.url.endsWith('/own')) event.respondWith(new Response('its own'));
    });`;
  const { origin, chromium } = await setUp({
    files: { 'own.js': own }, pages: { 'index.html': `${PAGE}<script>navigator.serviceWorker.register('/own.js')</script>` },
  });
  const page = await open(chromium, `${origin.url}/`);
  await waitFor('its own worker', () => page.evaluate(() => navigator.serviceWorker.controller?.scriptURL.endsWith('/own.js')));
  assert.equal(await fromOrigin(origin, page), 0);
  // Chromium goes on routing by the first worker until the page is loaded again.
  await page.reload();
  assert.equal(await page.evaluate(async () => (await fetch('/own')).text()), 'its own');
  assert.equal(await fromOrigin(origin, page), 0);
  await chromium.close();
});

test('a site worker that was stopped finds the extension again', async () => {
  const { origin, chromium } = await setUp();
  const page = await open(chromium, `${origin.url}/`);
  await waitForWorker(page);
  assert.equal(await fromOrigin(origin, page), 0);
  await stopWorker(page, `${origin.url}/fringe-sw.js`);
  assert.equal(await fromOrigin(origin, page), 0);
  await chromium.close();
});

/** Stops a worker, as the browser does when it idles. */
async function stopWorker(page, script) {
  const session = await page.createCDPSession();
  const versions = new Map();
  session.on('ServiceWorker.workerVersionUpdated', event => {
    for (const version of event.versions) versions.set(version.scriptURL, version);
  });
  await session.send('ServiceWorker.enable');
  await waitFor(script, () => versions.has(script));
  await session.send('ServiceWorker.stopWorker', { versionId: versions.get(script).versionId });
  await waitFor('its end', () => versions.get(script).runningStatus === 'stopped');
  await session.detach();
}

test('an extension worker that was restarted serves open pages again', async () => {
  const { origin, chromium, mock } = await setUp();
  const page = await open(chromium, `${origin.url}/`);
  await waitForWorker(page);
  const hellos = mock.asked('hello').length;
  const popup = await chromium.newPage();
  await popup.goto(chromium.extensionUrl('popup/popup.html'));
  await stopWorker(popup, chromium.extensionUrl('background/main.js'));
  assert.ok(await fromOrigin(origin, page) >= 0, 'whole at any rate');
  await popup.reload();
  await waitFor('a new connection', () => mock.asked('hello').length > hellos);
  await waitFor('the host to serve it', async () => await fromOrigin(origin, page) === 0);
  await chromium.close();
});
