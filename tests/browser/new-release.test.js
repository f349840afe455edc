// The publisher releases version 2 while two visitors read version 1: the next page of both is whole and only of version 2, and what
// has changed leaves the site about once.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { newSharer } from './lib/demo.js';
import { openFirefox } from './lib/firefox.js';
import { allLogged, startOrigin } from './lib/origin.js';
import { patientExtension, patientWorker } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { deploy } from './lib/publish.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, hashOf, writeSmallSite } from './lib/small-site.js';

const BIG = 3_000_000;
const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/static/page.js"></script>';
const PATHS = ['/static/big.bin', '/static/small.txt', '/static/same.bin', '/static/page.js'];

const scope = new Scope();
const extension = patientExtension(scope);
const same = randomBytes(BIG);
after(() => scope.close());

/** Writes and releases a version; answers the hash of each path in it. */
async function release(origin, version) {
  writeSmallSite(origin.root, {
    pages: { 'index.html': PAGE, 'next.html': PAGE },
    files: { 'static/page.js': `window.version = ${version};\n`, 'static/small.txt': `version ${version}\n`, 'static/same.bin': same },
    bigBytes: BIG,
  });
  await deploy(origin, join(origin.root, 'static'), { version: String(version) });
  patientWorker(origin.root);
  return Object.fromEntries(PATHS.map(path => [path, hashOf(origin.root, path)]));
}

async function visit(origin, who, open) {
  const browser = await open(scope, who.visitor, { origins: [origin], extension });
  await waitForHost(browser);
  return browser;
}

async function openPage(browser, url, page) {
  page ??= await browser.newPage();
  await page.goto(url);
  await waitFor(url, () => page.evaluate(address => location.href === address && window.version > 0 && document.readyState === 'complete', url));
  return page;
}

async function hashes(page) {
  const found = {};
  for (const path of PATHS) found[path] = (await fetchInPage(page, path, { cache: 'no-store' })).hash;
  return found;
}

test('both visitors go on with version 2, and the site sends what has changed about once', async () => {
  const origin = await startOrigin(scope);
  const one = await release(origin, 1);
  const anna = await newSharer(scope, { origin }, 'anna');
  const bert = await newSharer(scope, { origin }, 'bert', { peers: [anna.host] });
  const chromium = await visit(origin, anna, openChromium);
  const firefox = await visit(origin, bert, openFirefox);
  const old = await openPage(chromium, `${origin.url}/`);
  assert.deepEqual(await hashes(old), one);
  const berts = await openPage(firefox, `${origin.url}/`);
  assert.deepEqual(await hashes(berts), one);

  origin.mark();
  const two = await release(origin, 2);
  const annas = await openPage(chromium, `${origin.url}/next.html`);
  assert.deepEqual(await hashes(annas), two);
  assert.equal(await annas.evaluate(() => window.version), 2);
  const before = (await bert.host.status()).total;
  await openPage(firefox, `${origin.url}/next.html`, berts);
  assert.deepEqual(await hashes(berts), two);
  assert.equal(await berts.evaluate(() => window.version), 2);
  // The page that was open stays with version 1, which the site has no more.
  assert.equal((await fetchInPage(old, '/static/big.bin', { cache: 'no-store' })).hash, one['/static/big.bin']);

  await allLogged();
  const changed = origin.bytes('/static/');
  // (Firefox asks the site for one byte of a file whose rest comes from the host.)
  assert.ok(origin.bytes('/static/same.bin') <= 10, 'what has not changed is asked of nobody');
  assert.ok(changed >= BIG && changed <= 1.3 * BIG, `the site's own log: ${changed} bytes of ${BIG}`);
  const { total } = await bert.host.status();
  assert.ok(total.peers - before.peers >= 0 && total.peers >= 0.6 * 3 * BIG, `from the first visitor: ${total.peers} bytes of ${3 * BIG}`);
  await chromium.close();
  await firefox.close();
});
