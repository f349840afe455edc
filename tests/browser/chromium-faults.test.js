// Chromium, when things break: whatever the host does, the page gets every file whole, and as soon as may be.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeTune } from '../site/tune.mjs';
import { openChromium } from './lib/chromium.js';
import { deployMock, newMockVisitor, writeSiteFiles } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { EXTENSION } from './lib/paths.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, hashOf, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const ICONS = 400;
// "As soon as may be": a few of the product's own limits, each of which is about a second, on a machine that has much else to do.
const MOMENT_MS = 10000;

const scope = new Scope();
let origin;
let site;
let patient;
let patientButForStalls;

before(async () => {
  origin = await startOrigin(scope, { conf: 'location = /static/norange.bin { max_ranges 0; }' });
  const icons = Array.from({ length: ICONS }, (_, i) => [`static/icon${i}.txt`, `icon ${i}`]);
  writeSmallSite(origin.root, {
    files: { 'static/norange.bin': Buffer.alloc(3_000_000, 'fringe '), 'static/tune.wav': makeTune(), ...Object.fromEntries(icons) },
  });
  site = await deployMock(origin, { seq: 3 });
  patient = patientExtension(scope);
  patientButForStalls = patientExtension(scope, { except: ['STALL_MS'] });
});
after(() => scope.close());

let count = 0;

/** A visitor with a mock host, on the site's page, with the worker in place; `extension`: whose limits are in force there. */
async function visit(config = {}, extension = patient) {
  writeSiteFiles(origin.root, { seq: site.seq, bases: site.bases }, extension);
  const visitor = newMockVisitor(scope, `anna${++count}`, { sites: { [origin.url]: site }, ...config });
  const chromium = await openChromium(scope, visitor, { origins: [origin], extension });
  await waitForHost(chromium);
  const page = await openPage(chromium);
  await waitForWorker(page);
  origin.mark();
  return { chromium, page, mock: visitor.mock };
}

/** A first visit ends where the visitor wanted to go, whatever the way there. */
async function openPage(chromium) {
  const page = await chromium.newPage();
  await page.goto(`${origin.url}/`);
  await waitFor('the page itself', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
  return page;
}

async function bigIsWhole(page, path = '/static/big.bin') {
  const result = await fetchInPage(page, path, { cache: 'no-store' });
  assert.deepEqual([result.status, result.hash], [200, hashOf(origin.root, path)], JSON.stringify(result));
  return result;
}

test('a host that ends in the middle of a file: the rest comes from the site', async () => {
  const { chromium, page, mock } = await visit();
  mock.set({ faults: { dieAt: 1_500_000 } });
  await bigIsWhole(page);
  const [request, ...more] = origin.requests('/static/big.bin');
  assert.equal(more.length, 0);
  assert.equal(request.status, 206);
  assert.equal(request.bytes, 2_500_000);

  // The next host takes over without a reload.
  mock.set({ faults: {} });
  await waitFor('a new host', () => mock.asked('hello').length >= 2);
  origin.mark();
  await waitFor('the host to be used again', async () => {
    origin.mark();
    await bigIsWhole(page);
    return origin.bytes('/static/') === 0;
  });
  await chromium.close();
});

test('a gateway that stalls or closes in the middle of a file', async () => {
  const { chromium, page, mock } = await visit({ faults: { stallAt: 1_000_000 } }, patientButForStalls);
  const stalled = await bigIsWhole(page);
  assert.equal(origin.bytes('/static/big.bin'), 3_000_000);
  assert.ok(stalled.ms < MOMENT_MS, `${stalled.ms} ms`);

  mock.set({ faults: { cutAt: 1_000_000 } });
  origin.mark();
  const cut = await bigIsWhole(page);
  assert.equal(origin.bytes('/static/big.bin'), 3_000_000);
  assert.ok(cut.ms < MOMENT_MS, `${cut.ms} ms`);

  // A site without ranges sends the file whole once more; what the page has is left out.
  await bigIsWhole(page, '/static/norange.bin');
  assert.deepEqual(origin.requests('/static/norange.bin').map(request => request.status), [200]);
  await chromium.close();
});

test('a ranged request broken in the middle continues in its range', async () => {
  const { chromium, page } = await visit({ faults: { cutAt: 2_000_000 } });
  const result = await fetchInPage(page, '/static/big.bin', { headers: { range: 'bytes=1000000-2999999' } });
  assert.deepEqual([result.status, result.bytes, result.range], [206, 2_000_000, 'bytes 1000000-2999999/4000000']);
  assert.deepEqual(origin.requests('/static/big.bin').map(request => request.range), ['bytes=2000000-2999999']);
  await chromium.close();
});

test('a host that hangs costs a moment once, then nothing', async () => {
  const { chromium, page, mock } = await visit({}, EXTENSION);
  mock.set({ faults: { silent: ['*'], gatewaySilent: true } });
  const first = await bigIsWhole(page);
  assert.ok(first.ms < MOMENT_MS, `${first.ms} ms`);
  await waitForHost(chromium, 'crashed');
  const asked = mock.asked('asset.want').length;
  await bigIsWhole(page);
  assert.equal(mock.asked('asset.want').length, asked, 'nobody waits for it any more');
  await chromium.close();
});

test('a gateway that takes the request and stays silent', async () => {
  const { chromium, page } = await visit({ faults: { gatewaySilent: true } }, EXTENSION);
  const result = await bigIsWhole(page);
  assert.ok(result.ms < MOMENT_MS, `${result.ms} ms`);
  assert.equal(origin.bytes('/static/big.bin'), 4_000_000);
  await chromium.close();
});

test('answers out of form send the page to the site', async () => {
  const { chromium, page, mock } = await visit();
  const wrong = [
    { url: 'http://127.0.0.1:1/' }, { url: 'https://elsewhere.example/x' }, { length: -1 }, { length: 5 }, { content_type: 'nonsense' }, { via: 7 },
  ];
  for (const want of wrong) {
    mock.set({ faults: { want } });
    origin.mark();
    const result = await bigIsWhole(page);
    assert.equal(origin.bytes('/static/big.bin'), 4_000_000, JSON.stringify(want));
    assert.ok(result.ms < MOMENT_MS, `${JSON.stringify(want)}: ${result.ms} ms`);
  }
  await chromium.close();
});

test('hundreds of files at once wait for their turn instead of going to the site', async () => {
  const { chromium, page } = await visit({ faults: { gatewayDelayMs: 40 } });
  const texts = await page.evaluate(count => Promise.all(Array.from({ length: count }, async (_, i) => (await fetch(`/static/icon${i}.txt`)).text())), ICONS);
  assert.deepEqual(texts, Array.from({ length: ICONS }, (_, i) => `icon ${i}`));
  assert.equal(origin.requests('/static/').length, 0);
  await chromium.close();
});

test('hundreds of files at a silent gateway come from the site before long', async () => {
  const { chromium, page } = await visit({ faults: { gatewaySilent: true } }, EXTENSION);
  const begin = Date.now();
  await page.evaluate(count => Promise.all(Array.from({ length: count }, async (_, i) => (await fetch(`/static/icon${i}.txt`)).text())), ICONS);
  // Six at a time, each with its 1.5 s: that would be 100 s.
  assert.ok(Date.now() - begin < 3 * MOMENT_MS, `${Date.now() - begin} ms`);
  await origin.logged();
  assert.equal(origin.requests('/static/').length, ICONS);
  await chromium.close();
});

test('what the page gives up costs nobody anything', async () => {
  const { chromium, page } = await visit({ faults: { stallAt: 500_000 } });
  await page.evaluate(async () => {
    for (let i = 0; i < 12; i++) {
      const stop = new AbortController();
      const response = await fetch('/static/big.bin', { signal: stop.signal, cache: 'no-store' });
      await response.body.getReader().read();
      stop.abort();
      const unread = await fetch('/static/big.bin', { cache: 'no-store' });
      await unread.body.cancel();
    }
  });
  const { ms } = await fetchInPage(page, '/static/small.txt');
  assert.ok(ms < MOMENT_MS, `all connections are free again: ${ms} ms`);
  assert.deepEqual(origin.requests('/static/'), []);
  await chromium.close();
});

test('a sound plays on when its parts come from host and site by turns', async () => {
  const { chromium, page, mock } = await visit();
  await page.evaluate(async () => {
    window.audio = new Audio('/static/tune.wav');
    audio.preload = 'metadata';
    await new Promise(resolve => {
      audio.onloadedmetadata = resolve;
    });
    window.seek = second => new Promise((resolve, reject) => {
      audio.onseeked = () => resolve(audio.currentTime);
      audio.onerror = () => reject(new Error(audio.error.message));
      audio.currentTime = second;
    });
  });
  const seek = second => page.evaluate(to => window.seek(to), second);
  mock.set({ faults: { want: { via: 'origin', reason: 'failed' } } });
  assert.equal(await seek(25), 25);
  mock.set({ faults: {} });
  assert.equal(await seek(12), 12);
  await origin.logged();
  assert.ok(origin.requests('/static/tune.wav').length > 0, 'some came from the site');
  await chromium.close();
});

for (const [name, config, state] of [['no host', null, 'missing'], ['a host of another version', { api: 2 }, 'wrong-version']]) {
  test(`${name}: everything comes from the site, and the popup says so`, async () => {
    const visitor = config ? newMockVisitor(scope, `bert${++count}`, config) : newVisitor(scope, `bert${++count}`);
    const chromium = await openChromium(scope, visitor, { origins: [origin], host: Boolean(config) });
    origin.mark();
    const page = await openPage(chromium);
    assert.equal(page.url(), `${origin.url}/`);
    await bigIsWhole(page);
    assert.equal(origin.requests('/fringe-sw.js').length, 0, 'no worker without a host');
    await waitForHost(chromium, state);
    await chromium.close();
  });
}

test('the extension is gone: the site worker takes itself away', async () => {
  const { chromium, page } = await visit({}, EXTENSION);
  await chromium.close();
  const without = await openChromium(scope, chromium.visitor, { origins: [origin], extension: null });
  const again = await without.newPage();
  await again.goto(`${origin.url}/`);
  await bigIsWhole(again);
  await waitFor('no worker', () => again.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length === 0));
  await without.close();
  assert.ok(page.isClosed());
});
