// Chromium and the real host on a labelled site: first visit, second visit, every kind of file, seeking, content security
// policies, the zone switch, two sites at once. The site's access log tells what it had to send, and to whom: the host
// fetches there too what nobody has yet.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildSite } from '../site/build.mjs';
import { openChromium } from './lib/chromium.js';
import { demoResults } from './lib/demo.js';
import { startHost } from './lib/host.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension, patientWorker } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { deploy } from './lib/publish.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, hashOf, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const STRICT_CSP = "default-src 'self'; script-src 'self' 'nonce-demo'; style-src 'self' 'unsafe-inline'";
const BIG_BYTES = 96_000_000; // more than the browser and the credits between its parts can hold
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

const scope = new Scope();
let origin;
let other;
let strict;
let chromium;
let host;

before(async () => {
  origin = await startOrigin(scope);
  buildSite(origin.root);
  cpSync(join(origin.root, 'index.html'), join(origin.root, 'isolated.html'));
  await deploy(origin, join(origin.root, 'static'), { version: '1.0', headers: ['Cross-Origin-Embedder-Policy: require-corp'] });
  origin.headers = { ...origin.headers, '= /isolated.html': { ...origin.headers['/'], ...ISOLATION } };
  await origin.restart();

  other = await startOrigin(scope, { name: 'other.localhost' });
  strict = await startOrigin(scope, { name: 'localhost', headers: { '/': { 'Content-Security-Policy': STRICT_CSP } } });
  for (const site of [other, strict]) {
    writeSmallSite(site.root, { bigBytes: BIG_BYTES });
    await deploy(site, join(site.root, 'static'));
  }
  const visitor = newVisitor(scope, 'anna');
  const caFile = join(visitor.home, 'authorities.pem');
  writeFileSync(caFile, [origin, other, strict].map(site => readFileSync(site.caFile)).join(''));
  host = await startHost(scope, visitor, { caFile });
  for (const site of [origin, other, strict]) patientWorker(site.root);
  chromium = await openChromium(scope, visitor, { origins: [origin, other, strict], extension: patientExtension(scope) });
  await waitForHost(chromium);
});
after(() => scope.close());

/** What the browser itself took from the site's shared folder since the last mark; the host may still fetch there, too. */
function byBrowser(site, prefix = '/static/') {
  return site.requests(prefix).filter(request => request.agent.startsWith('Mozilla')).map(request => `${request.method} ${request.path}`);
}

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
  assert.deepEqual(byBrowser(origin), []);
  assert.equal(origin.requests('/.well-known/fringe/enter.html').length, 1);
  assert.equal(await page.evaluate(() => history.length), 2, 'about:blank and the page');
  await page.close();
});

test('the second visit needs nothing but the page', async () => {
  const page = await chromium.newPage();
  origin.mark();
  await page.goto(`${origin.url}/`);
  allOk(await demoResults(page));
  // Browsers look for a newer worker and for an icon now and then.
  const asked = byBrowser(origin, '/').filter(request => !['GET /favicon.ico', 'GET /fringe-sw.js'].includes(request));
  assert.deepEqual(asked, ['GET /']);

  const popup = await chromium.newPage();
  await popup.goto(chromium.extensionUrl('popup/popup.html'));
  const tab = await popup.evaluate(async () => (await chrome.tabs.query({})).find(({ url }) => url?.includes('game.localhost')).id);
  const { page: bytes, site } = await popup.evaluate(id => chrome.runtime.sendMessage({ type: 'popup.state', tab: id }), tab);
  assert.equal(site.seq, 1);
  assert.equal(site.version, '1.0');
  assert.ok(bytes.files > 300 && bytes.cache > 5_000_000 && bytes.origin === 0, JSON.stringify(bytes));
  await popup.close();
  await page.close();
});

test('a cross-origin isolated page works the same', async () => {
  const page = await chromium.newPage();
  origin.mark();
  await page.goto(`${origin.url}/isolated.html`);
  allOk(await demoResults(page));
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  assert.deepEqual(byBrowser(origin), []);
  await page.close();
});

test('a page with a strict content security policy works the same, on its first visit too', async () => {
  const page = await chromium.newPage();
  strict.mark();
  await page.goto(`${strict.url}/`);
  await waitFor('the page', () => page.evaluate(() => window.ran === true));
  assert.equal((await fetchInPage(page, '/static/big.bin')).bytes, BIG_BYTES);
  assert.deepEqual(byBrowser(strict), []);
  await page.close();
});

test('query strings, other methods and files outside the bundle go to the site untouched', async () => {
  const page = await openSmall();
  other.mark();
  for (const [url, options] of [['/static/small.txt?v=2', {}], ['/static/small.txt?', {}], ['/static/small.txt', { method: 'HEAD' }],
    ['/static/small.txt', { method: 'POST' }], ['/index.html', {}], ['/static/', {}]]) {
    await fetchInPage(page, url, { cache: 'no-store', ...options });
  }
  assert.deepEqual(other.requests('/').map(request => `${request.method} ${request.path}`), ['GET /static/small.txt', 'GET /static/small.txt',
    'HEAD /static/small.txt', 'POST /static/small.txt', 'GET /index.html', 'GET /static/']);
  const missing = await fetchInPage(page, '/static/missing.txt');
  assert.equal(missing.status, 404);
  await page.close();
});

test('two sites open at once do not mix', async () => {
  const second = await openSmall();
  const first = await chromium.newPage();
  await first.goto(`${origin.url}/`);
  await demoResults(first);
  const [mine, theirs] = await Promise.all([fetchInPage(first, '/static/images/icon.svg'), fetchInPage(second, '/static/images/icon.svg')]);
  assert.equal(mine.status, 200);
  assert.equal(theirs.status, 404, 'the other site has no such file, and this one lends it none');
  await first.close();
  await second.close();
});

test('a zone switched off and on again works at once on an open page', async () => {
  const page = await openSmall();
  const fromSite = async () => {
    other.mark();
    const { status, bytes } = await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
    assert.deepEqual([status, bytes], [200, BIG_BYTES]);
    return byBrowser(other).length > 0;
  };
  assert.equal(await fromSite(), false);

  const popup = await chromium.newPage();
  await popup.goto(chromium.extensionUrl('popup/popup.html'));
  const choose = zone => popup.evaluate((site, to) => chrome.runtime.sendMessage({ type: 'popup.zone', site, zone: to }), other.url, zone);
  assert.deepEqual(await choose('off'), { zone: 'off' });
  await waitFor('files from the site', fromSite);
  await page.reload();
  await waitFor('the page', () => page.evaluate(() => window.ran === true));
  assert.equal(await fromSite(), true);
  await waitFor('the worker to go', () => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length === 0));

  assert.deepEqual(await choose('share'), { zone: 'share' });
  await waitFor('files from the host', async () => !await fromSite());

  // Another client of the host may switch as well.
  await host.command('set', other.url, 'off');
  await waitFor('files from the site', fromSite);
  await host.command('set', other.url, 'default');
  await waitFor('files from the host', async () => !await fromSite());
  await popup.close();
  await page.close();
});

test('the host killed in the middle of a file: the page gets it whole', async () => {
  const page = await openSmall();
  other.mark();
  // The page reads a little and waits, so that most of the file is still to come.
  await page.evaluate(async () => {
    const response = await fetch('/static/big.bin', { cache: 'no-store' });
    const reader = response.body.getReader();
    const parts = [(await reader.read()).value];
    window.readOn = async () => {
      for (let next; !(next = await reader.read()).done;) parts.push(next.value);
      const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer());
      return [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, '0')).join('');
    };
  });
  assert.deepEqual(byBrowser(other), []);
  await host.kill();
  assert.equal(await page.evaluate(() => window.readOn()), hashOf(other.root, 'static/big.bin'));
  await other.logged();
  const [rest, ...more] = other.requests('/static/').filter(request => request.agent.startsWith('Mozilla'));
  assert.deepEqual(more, []);
  assert.equal(rest.status, 206);
  assert.ok(rest.bytes > 1_000_000 && rest.bytes < BIG_BYTES, `${rest.bytes} bytes from the site`);
  await chromium.close();
  // The browser's native host may have started another daemon.
  await host.command('stop').catch(() => {});
});
