// Firefox with the real host, on a small site: the second visitor's bytes come from the first, and a host that is killed at any
// moment costs the page nothing.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFirefox } from './lib/firefox.js';
import { startHost } from './lib/host.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { deploy } from './lib/publish.js';
import { Scope } from './lib/scope.js';
import { fetchInPage, hashOf, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const BIG = '/static/big.bin';
const BIG_BYTES = 24_000_000;

const scope = new Scope();
const patient = patientExtension(scope);
let origin;
let anna;
let bert;
let page;

before(async () => {
  origin = await startOrigin(scope);
  writeSmallSite(origin.root, { bigBytes: BIG_BYTES });
  await deploy(origin, join(origin.root, 'static'));
  const first = newVisitor(scope, 'anna');
  anna = await startHost(scope, first, { caFile: origin.caFile });
  await open(first);
  const second = newVisitor(scope, 'bert');
  bert = await startHost(scope, second, { caFile: origin.caFile, peers: [anna] });
  page = await open(second, { keep: true });
});
after(() => scope.close());

/** Opens the site and fetches the big file. */
async function open(visitor, { keep = false } = {}) {
  const firefox = await openFirefox(scope, visitor, { origins: [origin], extension: patient });
  await waitForHost(firefox);
  const tab = await firefox.newPage();
  await tab.goto(`${origin.url}/`);
  await waitForWorker(tab);
  if (keep) return tab;
  await isWhole(tab);
  await firefox.close();
  return null;
}

async function isWhole(tab) {
  const { status, hash, error } = await fetchInPage(tab, BIG, { cache: 'no-store' });
  assert.deepEqual([status, hash, error], [200, hashOf(origin.root, BIG), undefined]);
}

test('the second visitor gets the file from the first', async () => {
  origin.mark();
  await isWhole(page);
  assert.ok(origin.bytes(BIG) < 0.05 * BIG_BYTES, `${origin.bytes(BIG)} bytes from the site`);
  assert.ok((await bert.status()).total.peers > 0.95 * BIG_BYTES);
});

test('the host is killed while the page reads, and the page reads on', async () => {
  const whole = isWhole(page);
  await sleep(60);
  // The browser starts another one by itself, in which the visitor has chosen nothing yet.
  await bert.kill();
  await whole;
  await isWhole(page);
});
