// The harness proves itself: the other browser tests mean something only if the site is trusted, Local Network Access is
// active and each visitor reaches a host of their own.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openChromium } from './lib/chromium.js';
import { openFirefox } from './lib/firefox.js';
import { startOrigin } from './lib/origin.js';
import { Scope } from './lib/scope.js';
import { newVisitor } from './lib/visitor.js';

const PROBE = {
  extension: fileURLToPath(new URL('fixtures/probe-extension', import.meta.url)),
  native: fileURLToPath(new URL('fixtures/probe-native', import.meta.url)),
};
const scope = new Scope();
let origin;
let local;

before(async () => {
  origin = await startOrigin(scope, { headers: { '/': { 'X-Probe': 'yes' } } });
  writeFileSync(join(origin.root, 'index.html'), '<!doctype html><title>probe</title>');
  writeFileSync(join(origin.root, 'worker.js'), '');
  local = http.createServer((request, response) => response.setHeader('access-control-allow-origin', '*').end('reached')).listen(0, '127.0.0.1');
  scope.defer(() => local.close());
});
after(() => scope.close());

for (const [name, open] of [['Chromium', openChromium], ['Firefox', openFirefox]]) {
  test(`${name}: trusted site, own native host, Local Network Access active`, async () => {
    const visitor = newVisitor(scope, name.toLowerCase(), { native: PROBE.native });
    const browser = await open(scope, visitor, { origins: [origin], extension: PROBE.extension });
    const page = await browser.newPage();
    const response = await page.goto(`${origin.url}/`);
    assert.equal(response.headers()['x-probe'], 'yes');

    await page.waitForFunction(() => document.documentElement.dataset.probe);
    const answer = JSON.parse(await page.evaluate(() => document.documentElement.dataset.probe));
    assert.deepEqual(answer, { home: visitor.home, socket: visitor.socket });

    const worker = await page.evaluate(() => navigator.serviceWorker.register('/worker.js').then(() => 'registered', String));
    assert.equal(worker, 'registered');

    // Firefox asks (and headless nobody answers), Chromium refuses: either way the page must not reach a local service.
    const outcome = await page.evaluate(port => Promise.race([
      fetch(`http://127.0.0.1:${port}/`).then(reply => reply.text(), () => 'refused'),
      new Promise(resolve => setTimeout(resolve, 1000, 'held')),
    ]), local.address().port);
    assert.match(outcome, /^(refused|held)$/);
    await browser.close();
  });
}

test('the access log tells what the site sent, and the site can go down and come back', async () => {
  origin.mark();
  const ask = () => new Promise((resolve, reject) => {
    http.get({ port: origin.port, host: '127.0.0.1' }, reply => resolve(reply.statusCode)).on('error', reject);
  });
  assert.equal(await ask(), 400, 'plain http on the TLS port');
  await origin.logged();
  assert.equal(origin.requests().length, 1);
  await origin.stop();
  await assert.rejects(ask, { code: 'ECONNREFUSED' });
  await origin.start();
  assert.equal(await ask(), 400);
});
