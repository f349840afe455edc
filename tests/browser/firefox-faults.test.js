// Firefox, when things break: whatever the host does, the page gets every file whole, and as soon as may be.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openFirefox } from './lib/firefox.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { EXTENSION } from './lib/paths.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, hashOf, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const BIG = '/static/big.bin';
const HELD = '/static/held.bin';
const OVERLAP = 65536;
// "A moment": a few of the product's own limits, each of which is about a second, on a machine that has much else to do.
const MOMENT_MS = 10000;

const scope = new Scope();
let origin;
let site;
let firefox;
let mock;

before(async () => {
  origin = await startOrigin(scope);
  // Long enough to be streamed, and short enough to be held until it is whole.
  writeSmallSite(origin.root, { files: { 'static/held.bin': Buffer.alloc(900_000, 'fringe ') } });
  site = await deployMock(origin, { seq: 3 });
  // Stalls are to be noticed as soon as in what ships, all else may take its time.
  await visit(patientExtension(scope, { except: ['STALL_MS'] }));
});
after(() => scope.close());

let count = 0;

/** From here on the tests' visitor is a new one, whose extension has the limits of `extension`. */
async function visit(extension) {
  await firefox?.close();
  const visitor = newMockVisitor(scope, `anna${++count}`, { sites: { [origin.url]: site } });
  firefox = await openFirefox(scope, visitor, { origins: [origin], extension });
  ({ mock } = visitor);
  await waitForHost(firefox);
}

/** A page whose files come from the host again, whatever the test before did to it. */
async function openPage() {
  mock.set({ faults: {}, sites: { [origin.url]: site } });
  const page = await firefox.newPage();
  await page.goto(`${origin.url}/`);
  await waitForWorker(page);
  await waitFor('the host to be used', async () => {
    origin.mark();
    await fetchInPage(page, '/static/small.txt', { cache: 'no-store' });
    return origin.bytes('/static/small.txt') <= 1;
  });
  origin.mark();
  return page;
}

async function isWhole(page, path) {
  const result = await fetchInPage(page, path, { cache: 'no-store' });
  assert.deepEqual([result.status, result.hash], [200, hashOf(origin.root, path)], JSON.stringify(result));
  return result;
}

for (const [what, faults] of [['ends', { dieAt: 1_500_000 }], ['closes the connection', { cutAt: 1_500_000 }], ['stalls', { stallAt: 1_500_000 }]]) {
  test(`a host that ${what} in the middle of a file: the rest comes from the site`, async () => {
    const page = await openPage();
    mock.set({ faults });
    await isWhole(page, BIG);
    const bytes = origin.bytes(BIG);
    assert.ok(bytes > 2_000_000 && bytes <= 2_500_000 + OVERLAP + 200_000, `${bytes} bytes from the site`);
    await page.close();
  });
}

test('a file that can be held whole is the site\'s from its first byte when the host fails', async () => {
  const page = await openPage();
  mock.set({ faults: { cutAt: 300_000 } });
  await isWhole(page, HELD);
  assert.deepEqual(origin.requests(HELD).map(({ status, range }) => [status, range]), [[200, '']]);
  await page.close();
});

test('the site has another file by now: never a mixture', async () => {
  const page = await openPage();
  const older = scope.folder('older');
  cpSync(origin.root, older, { recursive: true });
  mkdirSync(join(older, 'static'), { recursive: true });
  writeFileSync(join(older, BIG), Buffer.alloc(4_000_000, 'older '));
  mock.set({ sites: { [origin.url]: { ...site, root: older } }, faults: { cutAt: 1_500_000 } });
  const { bytes, error } = await fetchInPage(page, BIG, { cache: 'no-store' });
  assert.ok(error || bytes < 4_000_000, `${bytes} bytes`);
  await page.close();
});

test('answers out of form send the page to the site', async () => {
  const page = await openPage();
  for (const want of [{ url: 'http://127.0.0.1:1/x' }, { url: 'https://evil.example/' }, { length: 77 }, { length: -1 }, { length: 'x' },
    { content_type: 'a\r\nb: c' }, { via: 'gateway', url: null }, { via: 'nonsense' }]) {
    mock.set({ faults: { want } });
    origin.mark();
    await isWhole(page, HELD);
    assert.equal(origin.bytes(HELD), 900_000, JSON.stringify(want));
  }
  await page.close();
});

test('an aborted request ends the transfer, and the next one is right', async () => {
  const page = await openPage();
  mock.set({ faults: { stallAt: 1_000_000 } });
  const name = await page.evaluate(async path => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    return fetch(path, { signal: controller.signal, cache: 'no-store' }).then(response => response.arrayBuffer()).then(() => 'done', error => error.name);
  }, BIG);
  assert.equal(name, 'AbortError');
  mock.set({ faults: {} });
  await isWhole(page, BIG);
  await page.close();
});

test('a host that hangs costs a moment, a silent gateway too', async () => {
  await visit(EXTENSION);
  const page = await openPage();
  mock.set({ faults: { gatewaySilent: true } });
  const silent = await isWhole(page, HELD);
  assert.ok(silent.ms < MOMENT_MS, `${silent.ms} ms`);
  mock.set({ faults: { silent: ['asset.want'] } });
  const hanging = await isWhole(page, HELD);
  assert.ok(hanging.ms < MOMENT_MS, `${hanging.ms} ms`);
  await page.close();
});

for (const [name, config, state] of [['speaks another version', { api: 9 }, 'wrong-version'], ['is not installed', null, 'missing']]) {
  test(`a host that ${name}: everything comes from the site, and the popup says so`, async () => {
    const visitor = config ? newMockVisitor(scope, 'bert', { sites: { [origin.url]: site }, ...config }) : newVisitor(scope, 'cora');
    const browser = await openFirefox(scope, visitor, { origins: [origin], host: config !== null });
    origin.mark();
    const page = await browser.newPage();
    await page.goto(`${origin.url}/`);
    await isWhole(page, BIG);
    assert.equal(await page.evaluate(() => window.ran), true);
    assert.ok(origin.requests('/static/').every(({ range }) => range === ''));
    await waitForHost(browser, state);
    await browser.close();
  });
}
