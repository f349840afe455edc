// Chromium and pages that mean harm: they talk to the site worker, frame the bridge, ask for other sites' files. Each gets at most
// what its own site offers to everyone.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CHROMIUM_ID, openChromium } from './lib/chromium.js';
import { testHostile, writeHostilePages, writeOtherExtension } from './lib/hostile.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './lib/small-site.js';

const EXTENSION_MESSAGES = ['popup.state', 'popup.zone', 'popup.retry', 'page.hello', 'page.label', 'page.enter'];
const CROSSING_PATHS = [
  '/../other/static/secret.txt', '/static/../../x', '/static/%2e%2e/%2e%2e/x', '/static/%2E%2E%2Fx', '/static/..%5cx', '/static\\..\\x',
  '//other.localhost/static/secret.txt', '/static//x', '/static/./small.txt', '/static/x?y', '/static/x#y', 'static/small.txt', '', '/',
  `/static/${'x'.repeat(3000)}`, '/static/\u00e9', '/static/%', '/static/%00', 'https://other.localhost/static/secret.txt',
];

const scope = new Scope();
let good;
let evil;
let visitor;
let chromium;
let otherPage;

before(async () => {
  good = await startOrigin(scope);
  writeSmallSite(good.root, { files: { 'static/secret.txt': 'only for visitors of good\n' } });
  evil = await startOrigin(scope, { name: 'other.localhost' });
  const extension = patientExtension(scope);
  const sites = { [good.url]: await deployMock(good, { seq: 1, extension }), [evil.url]: await deployMock(evil, { seq: 1, extension }) };
  await writeHostilePages(evil, good);
  visitor = newMockVisitor(scope, 'anna', { sites });
  const other = scope.folder('other');
  otherPage = `chrome-extension://${writeOtherExtension(other)}/page.html`;
  leakNames(good);
  chromium = await openChromium(scope, visitor, { origins: [good, evil], extension, extensions: [other] });
  await waitForHost(chromium);
});
after(() => scope.close());

/** Makes the site's worker tell the names of its pages, as a site could that wants to betray its visitors. */
function leakNames(origin) {
  const file = join(origin.root, 'fringe-sw.js');
  writeFileSync(file, `
    const names = [];
    addEventListener('message', event => event.data?.page && names.push(event.data.page));
    addEventListener('fetch', event => {
      if (event.request.url.endsWith('/static/names')) event.respondWith(Response.json(names));
    });
    ${readFileSync(file, 'utf8')}`);
}

async function open(origin, path = '/') {
  const page = await chromium.newPage();
  await page.goto(origin.url + path);
  await waitFor('the page', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
  await waitForWorker(page);
  return page;
}

/** What a hostile page can do: frame the bridge and keep the port it hands over. Leaves it as window.port. */
async function stealPort(page) {
  await page.evaluate(async address => {
    const frame = document.createElement('iframe');
    frame.src = address;
    document.body.append(frame);
    await new Promise(resolve => {
      frame.onload = resolve;
    });
    const link = new MessageChannel();
    const answer = new MessageChannel();
    window.answers = [];
    link.port2.onmessage = event => window.answers.push(event.data);
    frame.contentWindow.postMessage({ fringe: 'port' }, '*', [link.port1, answer.port2]);
    window.port = link.port2;
  }, chromium.extensionUrl('chromium/bridge.html'));
  await page.waitForFunction(() => window.answers.length > 0);
}

/** Sends a want over the stolen port and answers what comes back for it, its bytes as text. */
async function wantOver(page, want) {
  return page.evaluate(async message => {
    window.answers.length = 0;
    window.port.postMessage(message);
    const deadline = performance.now() + 30000;
    const end = () => window.answers.find(answer => ['origin', 'fail', 'head'].includes(answer.type));
    while (!end() && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 20));
    const answer = end();
    if (answer?.type !== 'head') return answer;
    return { type: 'head', text: answer.bytes && new TextDecoder().decode(answer.bytes) };
  }, want);
}

test('the bridge tags a port with the origin of the page, and its paths stay on that site', async () => {
  const page = await open(evil);
  await stealPort(page);
  const own = await wantOver(page, { type: 'want', id: 1, path: '/static/small.txt', range: '', page: '' });
  assert.deepEqual(own, { type: 'head', text: 'a small file\n' }, 'its own files it may have');

  const before = visitor.mock.asked('asset.want').length;
  for (const [index, path] of CROSSING_PATHS.entries()) {
    const answer = await wantOver(page, { type: 'want', id: 100 + index, path, range: '', page: '' });
    assert.equal(answer?.type, 'origin', `${JSON.stringify(path)}: ${JSON.stringify(answer)}`);
  }
  const crossing = visitor.mock.asked('asset.want').slice(before);
  assert.deepEqual(crossing, [], 'the host was not even asked');
  const other = await wantOver(page, { type: 'want', id: 2, path: '/static/secret.txt', range: '', page: '', site: good.url });
  assert.deepEqual(other, { type: 'origin', reason: 'not-listed', id: 2 });
  assert.ok(visitor.mock.asked('asset.want').every(want => want.site === evil.url));
  await page.close();
});

test('messages out of form on a port are ignored or refused, and the port goes on', async () => {
  const page = await open(evil);
  await stealPort(page);
  await page.evaluate(() => {
    const junk = [null, 1, 'want', [], {}, { type: 'want' }, { type: 'want', id: 'x' }, { type: 'want', id: -1, path: 7, range: '', page: '' },
      { type: 'want', id: 2 ** 60, path: '/static/small.txt' }, { type: 'credit', id: 9, count: 1e300 }, { type: 'credit', id: 1, count: 'x' },
      { type: 'cancel' }, { type: 'cancel', id: {} }, { type: 'took', page: '', bytes: -5 }, { type: 'took', page: {}, bytes: 1 },
      { type: 'took', page: '', bytes: NaN }, { type: '__proto__', id: 1 }];
    for (const message of junk) window.port.postMessage(message);
  });
  for (const range of ['bytes=5-1', 'bytes=-5', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=0-1\r\nhost: x', 7]) {
    const answer = await wantOver(page, { type: 'want', id: 50, path: '/static/small.txt', range, page: '' });
    assert.equal(answer?.type, 'origin', String(range));
  }
  const own = await wantOver(page, { type: 'want', id: 60, path: '/static/small.txt', range: '', page: '' });
  assert.equal(own.text, 'a small file\n');
  await page.close();
});

test('a flood of wants over one port is refused beyond a bound', async () => {
  const page = await open(evil);
  await stealPort(page);
  visitor.mock.set({ faults: { silent: ['asset.want'] } });
  const before = visitor.mock.asked('asset.want').length;
  await page.evaluate(() => {
    for (let id = 1000; id < 7000; id++) window.port.postMessage({ type: 'want', id, path: '/static/small.txt', range: '', page: '' });
  });
  await page.waitForFunction(() => window.answers.filter(answer => answer.reason === 'too-many').length > 3900);
  assert.ok(visitor.mock.asked('asset.want').length - before <= 2048);
  visitor.mock.set({ faults: {} });
  await page.close();
});

test('a page cannot use the name of a page of another site', async () => {
  const victim = await open(good);
  const name = await waitFor('the name', () => victim.evaluate(async () => (await (await fetch('/static/names')).json()).at(-1)));
  assert.match(name, /^[0-9a-f-]{36}$/);
  const page = await open(evil);
  await stealPort(page);
  const answer = await wantOver(page, { type: 'want', id: 1, path: '/static/small.txt', range: '', page: name });
  assert.deepEqual(answer, { type: 'origin', reason: 'no-label', id: 1 });
  await victim.close();
  await page.close();
});

test('a page without a label gets nothing through the bridge', async () => {
  evil.headers = { ...evil.headers, '= /plain.html': { 'X-Plain': '1' } };
  writeSmallSite(evil.root, { pages: { 'plain.html': '<!doctype html><script src="/static/page.js"></script>' } });
  await evil.restart();
  const page = await chromium.newPage();
  await page.goto(`${evil.url}/plain.html`);
  await stealPort(page);
  assert.deepEqual(await page.evaluate(() => window.answers[0]), { type: 'state', on: false });
  const answer = await wantOver(page, { type: 'want', id: 1, path: '/static/small.txt', range: '', page: '' });
  assert.deepEqual(answer, { type: 'origin', reason: 'no-label', id: 1 });
  await page.close();
});

test('a frame inside another site gets no port', async () => {
  const page = await chromium.newPage();
  await page.goto(`${evil.url}/frame.html`);
  const inner = await waitFor('the inner frame', () => page.frames().find(frame => frame.url().startsWith(good.url)));
  const got = await inner.evaluate(async address => {
    const frame = document.createElement('iframe');
    frame.src = address;
    document.body.append(frame);
    await new Promise(resolve => {
      frame.onload = resolve;
    });
    const link = new MessageChannel();
    const answer = new MessageChannel();
    const heard = new Promise(resolve => {
      link.port2.onmessage = () => resolve('a port');
    });
    frame.contentWindow.postMessage({ fringe: 'port' }, '*', [link.port1, answer.port2]);
    return Promise.race([heard, new Promise(resolve => setTimeout(resolve, 1000, 'nothing'))]);
  }, chromium.extensionUrl('chromium/bridge.html'));
  assert.equal(got, 'nothing');
  await page.close();
});

test('a page cannot displace the port of its site\'s worker, nor trouble the worker with nonsense', async () => {
  const page = await open(good);
  const hijacked = await page.evaluate(async () => {
    const worker = navigator.serviceWorker.controller;
    const heard = [];
    for (let i = 0; i < 20; i++) {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = event => heard.push(event.data);
      worker.postMessage({ fringe: 'port' }, [port2]);
      port1.postMessage({ type: 'state', on: true });
    }
    for (const junk of [null, 1, {}, { fringe: 'hello' }, { fringe: {} }, { fringe: 'port' }]) worker.postMessage(junk);
    await fetch('/static/secret.txt', { cache: 'no-store' });
    return heard.length;
  });
  assert.equal(hijacked, 0);
  good.mark();
  const result = await fetchInPage(page, '/static/small.txt', { cache: 'no-store' });
  assert.deepEqual([result.status, result.bytes], [200, 13]);
  assert.equal(good.requests('/static/').length, 0);
  await page.close();
});

test('a page cannot speak to the background, nor reach the gateway', async () => {
  const page = await open(evil);
  assert.equal(await page.evaluate(() => typeof globalThis.chrome?.runtime?.sendMessage), 'undefined');
  const gateway = visitor.mock.gateway().at(-1);
  const url = `http://${gateway.host}${gateway.gateway}`;
  const { error } = await fetchInPage(page, url);
  assert.match(error, /TypeError/);
  await page.close();
});

test('the background takes each message only from whom it belongs to', async () => {
  const bridge = await chromium.newPage();
  await bridge.goto(chromium.extensionUrl('chromium/bridge.html'));
  for (const type of EXTENSION_MESSAGES) {
    const answer = await bridge.evaluate(message => new Promise(resolve => {
      chrome.runtime.sendMessage(message, reply => resolve(chrome.runtime.lastError ? 'refused' : reply));
    }), { type, tab: 1, site: good.url, zone: 'share', page: crypto.randomUUID(), controlled: true, href: `${good.url}/` });
    assert.equal(answer, 'refused', type);
  }
  const popup = await chromium.newPage();
  await popup.goto(chromium.extensionUrl('popup/popup.html'));
  const wrong = [{ type: 'popup.zone', site: 'nonsense', zone: 'off' }, { type: 'popup.zone', site: good.url, zone: 'all' }, { type: 'popup.state' },
    { type: 'page.hello', page: 'x', controlled: true }, { type: 'toString' }, {}];
  for (const message of wrong) {
    const answer = await popup.evaluate(text => new Promise(resolve => {
      chrome.runtime.sendMessage(text, reply => resolve(chrome.runtime.lastError ? 'refused' : reply));
    }), message);
    assert.equal(answer, 'refused', JSON.stringify(message));
  }
});

test('the enter page leads nowhere but to its own site', async () => {
  const page = await chromium.newPage();
  for (const to of ['//other.localhost/', '/\\other.localhost/', `/%2fother.localhost`, '/.well-known/fringe/enter.html?to=/']) {
    await page.goto(`${good.url}/.well-known/fringe/enter.html?to=${to}`);
    await new Promise(resolve => setTimeout(resolve, 300));
    assert.equal(new URL(page.url()).origin, good.url, to);
  }
  await page.close();
});

testHostile(() => ({ browser: chromium, good, evil, visitor, extensionId: CHROMIUM_ID, otherPage }));
