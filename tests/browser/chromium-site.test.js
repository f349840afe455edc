// Chromium on a labelled site: first visit, second visit, every kind of file, seeking, content security policies, the zone
// switch, two sites at once. The site's access log tells what it had to send.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildSite } from '../site/build.mjs';
import { openChromium } from './lib/chromium.js';
import { demoResults } from './lib/demo.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './lib/small-site.js';

const STRICT_CSP = "default-src 'self'; script-src 'self' 'nonce-demo'; style-src 'self' 'unsafe-inline'";
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

const scope = new Scope();
let origin;
let other;
let visitor;
let chromium;

before(async () => {
  origin = await startOrigin(scope);
  buildSite(origin.root);
  cpSync(join(origin.root, 'index.html'), join(origin.root, 'isolated.html'));
  other = await startOrigin(scope, { name: 'other.localhost' });
  writeSmallSite(other.root);
  const label = (await deployMock(origin, { seq: 7 }), origin.headers['/']);
  origin.headers = { ...origin.headers, '= /isolated.html': { ...label, ...ISOLATION } };
  await origin.restart();
  visitor = newMockVisitor(scope, 'anna', {
    sites: {
      [origin.url]: { seq: 7, root: origin.root, bases: ['/static/'], version: '1.0', headers: { 'Cross-Origin-Embedder-Policy': 'require-corp' } },
      [other.url]: await deployMock(other, { seq: 2 }),
    },
  });
  chromium = await openChromium(scope, visitor, { origins: [origin, other] });
  await waitFor('the host', () => visitor.mock.asked('sites').length > 0);
});
after(() => scope.close());

/** A page of the small site, with its worker in place. A first visit passes through the enter page. */
async function openSmall() {
  const page = await chromium.newPage();
  await page.goto(`${other.url}/`);
  await waitFor('the page', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
  await waitForWorker(page);
  return page;
}

function allOk(results) {
  assert.deepEqual(results, Object.fromEntries(Object.keys(results).map(kind => [kind, 'ok'])));
}

test('the first visit goes through the enter page, once, and takes no shared file from the site', async () => {
  const page = await chromium.newPage();
  origin.mark();
  await page.goto(`${origin.url}/?from=a&b#part`);
  allOk(await demoResults(page));
  assert.equal(page.url(), `${origin.url}/?from=a&b#part`);
  assert.deepEqual(origin.requests('/static/'), []);
  assert.equal(origin.requests('/.well-known/fringe/enter.html').length, 1);
  assert.equal(await page.evaluate(() => history.length), 2, 'about:blank and the page');
  await page.close();
});

test('the second visit needs nothing but the page', async () => {
  const page = await chromium.newPage();
  origin.mark();
  await page.goto(`${origin.url}/`);
  allOk(await demoResults(page));
  assert.deepEqual(origin.requests('/').map(request => request.path).filter(path => path !== '/favicon.ico'), ['/']);

  const popup = await chromium.newPage();
  await popup.goto(chromium.extensionUrl('popup/popup.html'));
  const tab = await popup.evaluate(async () => (await chrome.tabs.query({})).find(({ url }) => url?.includes('game.localhost')).id);
  const { page: bytes, site } = await popup.evaluate(id => chrome.runtime.sendMessage({ type: 'popup.state', tab: id }), tab);
  assert.equal(site.seq, 7);
  assert.ok(bytes.files > 700 && bytes.peers > 5_000_000 && bytes.origin === 0, JSON.stringify(bytes));
  await popup.close();
  await page.close();
});

test('a cross-origin isolated page works the same', async () => {
  const page = await chromium.newPage();
  origin.mark();
  await page.goto(`${origin.url}/isolated.html`);
  allOk(await demoResults(page));
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  assert.deepEqual(origin.requests('/static/'), []);
  await page.close();
});

test('a page with a strict content security policy works the same, on its first visit too', async () => {
  const strict = await startOrigin(scope, { name: 'localhost' });
  writeSmallSite(strict.root, { pages: { 'index.html': '<!doctype html><link rel="icon" href="data:,"><script src="/static/page.js"></script>' } });
  strict.headers = { '/': { 'Content-Security-Policy': STRICT_CSP } };
  const entry = await deployMock(strict, { seq: 1 });
  const bert = newMockVisitor(scope, 'bert', { sites: { [strict.url]: entry } });
  const browser = await openChromium(scope, bert, { origins: [strict] });
  await waitFor('the host', () => bert.mock.asked('sites').length > 0);
  const page = await browser.newPage();
  strict.mark();
  await page.goto(`${strict.url}/`);
  await waitFor('the page', () => page.evaluate(() => window.ran === true));
  assert.deepEqual(strict.requests('/static/'), []);
  assert.equal((await fetchInPage(page, '/static/big.bin')).bytes, 4_000_000);
  assert.deepEqual(strict.requests('/static/'), []);
  await browser.close();
});

test('seeking in a file of media asks the host for ranges', async () => {
  const page = await chromium.newPage();
  origin.mark();
  await page.goto(`${origin.url}/`);
  await demoResults(page);
  const ranges = visitor.mock.gateway().filter(request => request.gateway.endsWith('/tune.wav') && request.range).map(request => request.range);
  assert.ok(ranges.includes('bytes=0-'), String(ranges));
  assert.ok(ranges.some(range => /^bytes=[1-9]/.test(range)), String(ranges));
  assert.deepEqual(origin.requests('/static/'), []);
  await page.close();
});

test('query strings, other methods and files outside the bundle go to the site untouched', async () => {
  const page = await openSmall();
  const asked = visitor.mock.asked('asset.want').length;
  other.mark();
  for (const [url, options] of [['/static/small.txt?v=2', {}], ['/static/small.txt?', {}], ['/static/small.txt', { method: 'HEAD' }],
    ['/static/small.txt', { method: 'POST' }], ['/index.html', {}], ['/static/', {}]]) {
    await fetchInPage(page, url, { cache: 'no-store', ...options });
  }
  assert.deepEqual(other.requests('/').map(request => `${request.method} ${request.path}`), ['GET /static/small.txt', 'GET /static/small.txt',
    'HEAD /static/small.txt', 'POST /static/small.txt', 'GET /index.html', 'GET /static/']);
  const wants = visitor.mock.asked('asset.want').slice(asked);
  assert.deepEqual(wants.filter(want => want.path !== '/static/'), []);

  const missing = await fetchInPage(page, '/static/missing.txt');
  assert.equal(missing.status, 404);
  await page.close();
});

test('two sites open at once do not mix', async () => {
  const second = await openSmall();
  const first = await chromium.newPage();
  await first.goto(`${origin.url}/`);
  await demoResults(first);
  const before = visitor.mock.asked('asset.want').length;
  const [mine, theirs] = await Promise.all([fetchInPage(first, '/static/images/icon.svg'), fetchInPage(second, '/static/images/icon.svg')]);
  assert.equal(mine.status, 200);
  assert.equal(theirs.status, 404);
  const wants = visitor.mock.asked('asset.want').slice(before).filter(want => want.path === '/static/images/icon.svg');
  assert.deepEqual([...new Set(wants.map(want => want.site))].sort(), [origin.url, other.url].sort());
  assert.equal(new Set(wants.map(want => want.doc)).size, 2);
  await first.close();
  await second.close();
});

test('a zone switched off and on again works at once on an open page', async () => {
  const page = await openSmall();
  const fromSite = async () => {
    other.mark();
    const { status, bytes } = await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
    assert.deepEqual([status, bytes], [200, 4_000_000]);
    return other.bytes('/static/');
  };
  assert.equal(await fromSite(), 0);

  const popup = await chromium.newPage();
  await popup.goto(chromium.extensionUrl('popup/popup.html'));
  const choose = zone => popup.evaluate((site, to) => chrome.runtime.sendMessage({ type: 'popup.zone', site, zone: to }), other.url, zone);
  assert.deepEqual(await choose('off'), { zone: 'off' });
  await waitFor('files from the site', async () => await fromSite() === 4_000_000);
  await page.reload();
  await waitFor('the page', () => page.evaluate(() => window.ran === true));
  assert.equal(await fromSite(), 4_000_000);
  await waitFor('the worker to go', () => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length === 0));

  assert.deepEqual(await choose('share'), { zone: 'share' });
  await waitFor('files from the host', async () => await fromSite() === 0);

  // Another client of the host may switch as well.
  const { sites } = visitor.mock.config;
  visitor.mock.set({ sites: { ...sites, [other.url]: { ...sites[other.url], zone: 'off' } } });
  await waitFor('files from the site', async () => await fromSite() === 4_000_000);
  visitor.mock.set({ sites });
  await popup.close();
  await page.close();
});
