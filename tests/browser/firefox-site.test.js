// Firefox on a labelled site: first visit, second visit, every kind of file, the browser's own cache, seeking, content security
// policies, the zone switch, two sites at once, containers, private windows. The site's access log tells what it had to send.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildSite } from '../site/build.mjs';
import { DEMO_MS, demoResults } from './lib/demo.js';
import { openFirefox } from './lib/firefox.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { Scope, newPage, waitFor } from './lib/scope.js';
import { fetchInPage, hashOf, waitForWorker, writeSmallSite } from './lib/small-site.js';

const STRICT_CSP = "default-src 'self'; script-src 'self'";
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
// The page tells the site's access log how it went: the test's own line to a page is lost when it changes its process.
const REPORT = `<script>setInterval(() => {
  if (!window.demo.done || window.told) return;
  window.told = true;
  fetch('/report?' + JSON.stringify([crossOriginIsolated, ...Object.entries(window.demo.results).filter(([, result]) => result !== 'ok')]));
}, 100)</script>`;
const BIG = 4_000_000;
const LONG_SECONDS = 1500;
// Each file costs the site one byte, 512 for each part of media; some kinds that a filter cannot attend cost more, and so does what
// is asked for before the worker is there, the more the slower the machine. Of 9.8 MB.
const SMALL_COST = 500_000;

const scope = new Scope();
let origin;
let other;
let visitor;
let firefox;
let patient;

before(async () => {
  origin = await startOrigin(scope, { conf: 'gzip on; gzip_types text/plain text/css application/javascript;' });
  buildSite(origin.root);
  writeFileSync(join(origin.root, 'isolated.html'), readFileSync(join(origin.root, 'index.html'), 'utf8').replace('</body>', `${REPORT}</body>`));
  const entry = { ...await deployMock(origin, { seq: 7 }), headers: { 'Cross-Origin-Embedder-Policy': 'require-corp' } };
  const page = { ...origin.headers['/'], ...ISOLATION };
  origin.headers = { ...origin.headers, '= /isolated.html': page, '/static/app/workers/': page, '/static/app/shared/': page };
  await origin.restart();

  other = await startOrigin(scope, { name: 'other.localhost',
    conf: 'rewrite ^/static/moved.txt$ /elsewhere.txt redirect; location = /static/packed.js { add_header Content-Encoding gzip; }' });
  writeSmallSite(other.root, { files: { 'elsewhere.txt': 'from elsewhere', 'static/moved.txt': 'host only', 'static/long.wav': longWav(),
    'static/packed.js': gzipSync('window.packed = true') } });
  const otherEntry = await deployMock(other, { seq: 2 });
  visitor = newMockVisitor(scope, 'anna', { sites: { [origin.url]: entry, [other.url]: { ...otherEntry, root: hostCopy(other.root) } } });
  patient = patientExtension(scope);
  firefox = await openFirefox(scope, visitor, { origins: [origin, other], extension: patient });
  await waitForHost(firefox);
});
after(() => scope.close());

/** The host's own copy of the small site: the same lengths, other content, so that each byte tells where it came from. */
function hostCopy(root) {
  const copy = scope.folder('hostcopy');
  cpSync(root, copy, { recursive: true });
  mkdirSync(join(copy, 'static'), { recursive: true });
  writeFileSync(join(copy, 'static', 'page.js'), 'window.ran = "hos";\n'.slice(0, 19));
  writeFileSync(join(copy, 'static', 'small.txt'), 'via the host\n');
  writeFileSync(join(copy, 'static', 'big.bin'), Buffer.alloc(BIG, 'host'));
  return copy;
}

/** A tone of LONG_SECONDS, one byte for each of 8000 samples a second. */
function longWav() {
  const samples = 8000 * LONG_SECONDS;
  const wav = Buffer.alloc(44 + samples, 100);
  wav.write('RIFF');
  wav.writeUInt32LE(36 + samples, 4);
  wav.write('WAVEfmt ', 8);
  for (const [offset, value] of [[16, 16], [24, 8000], [28, 8000], [40, samples]]) wav.writeUInt32LE(value, offset);
  for (const [offset, value] of [[20, 1], [22, 1], [32, 1], [34, 8]]) wav.writeUInt16LE(value, offset);
  wav.write('data', 36);
  return wav;
}

function allOk(results) {
  assert.deepEqual(results, Object.fromEntries(Object.keys(results).map(kind => [kind, 'ok'])));
}

async function openDemo(path = '/') {
  const page = await firefox.newPage();
  await page.goto(`${origin.url}${path}`);
  allOk(await demoResults(page));
  return page;
}

async function openSmall(browser = firefox.browser) {
  const page = await newPage(browser);
  await page.goto(`${other.url}/`);
  await waitForWorker(page);
  return page;
}

function textOf(page, path, options) {
  return page.evaluate(async (url, init) => {
    const response = await fetch(url, init);
    return `${response.status} ${await response.text()}`;
  }, path, options);
}

test('the first visit costs the site next to nothing, whatever the kind of file', async () => {
  origin.mark();
  const page = await openDemo();
  assert.ok(origin.bytes('/static/') < SMALL_COST, `${origin.bytes('/static/')} bytes from the site`);
  assert.ok(origin.requests('/static/').every(request => request.agent.includes('Firefox')));
  await page.close();
});

test('so does the second visit, and the popup tells where the bytes came from', async () => {
  origin.mark();
  const page = await openDemo();
  assert.ok(origin.bytes('/static/') < SMALL_COST, `${origin.bytes('/static/')} bytes from the site`);

  const popup = await firefox.openExtensionPage('popup/popup.html');
  const { site, page: bytes } = await popup.evaluate(async prefix => {
    const tab = (await browser.tabs.query({})).find(({ url }) => url?.startsWith(prefix));
    return browser.runtime.sendMessage({ type: 'popup.state', tab: tab.id });
  }, origin.url);
  assert.equal(site.seq, 7);
  assert.ok(bytes.files > 300 && bytes.peers > 5_000_000, JSON.stringify(bytes));
  assert.ok(bytes.origin > 0 && bytes.origin < SMALL_COST, JSON.stringify(bytes));
  await popup.close();
  await page.close();
});

test('a cross-origin isolated page works the same', async () => {
  origin.mark();
  const page = await firefox.newPage();
  page.goto(`${origin.url}/isolated.html`).catch(() => {});
  const report = await waitFor('the report', () => origin.requests('/report')[0], DEMO_MS);
  assert.equal(decodeURIComponent(report.query), '[true]');
  assert.ok(origin.bytes('/static/') < SMALL_COST);
  await page.close();
});

test('the few bytes of the site never stand for a file in the browser\'s cache', async () => {
  const page = await openSmall();
  const seen = () => page.evaluate(async () => [String(window.ran), await (await fetch('/static/small.txt')).text()]);
  assert.deepEqual(await seen(), ['hos', 'via the host\n']);
  await page.reload();
  assert.deepEqual(await seen(), ['hos', 'via the host\n']);

  const { sites } = visitor.mock.config;
  visitor.mock.set({ sites: { ...sites, [other.url]: { ...sites[other.url], zone: 'off' } } });
  await waitFor('files from the site', async () => {
    await page.reload();
    return (await seen())[0] === 'true';
  });
  assert.deepEqual(await seen(), ['true', 'a small file\n']);
  const cached = await page.evaluate(async () => (await fetch('/static/page.js', { cache: 'force-cache' })).text());
  assert.equal(cached, 'window.ran = true;\n');
  visitor.mock.set({ sites });
  await waitFor('files from the host', async () => {
    await page.reload();
    return (await seen())[0] === 'hos';
  });
  await page.close();
});

test('fetch sees what it would see without Fringe', async () => {
  const page = await openSmall();
  const result = await page.evaluate(async () => {
    const response = await fetch('/static/small.txt', { redirect: 'error', mode: 'same-origin', cache: 'no-store' });
    const { status, ok, redirected, url, headers } = response;
    return { status, ok, redirected, path: new URL(url).pathname, type: headers.get('content-type'), length: headers.get('content-length'),
      range: headers.get('content-range'), text: await response.text() };
  });
  assert.deepEqual(result, { status: 200, ok: true, redirected: false, path: '/static/small.txt', type: 'text/plain', length: '13', range: null,
    text: 'via the host\n' });

  const xhr = await page.evaluate(() => new Promise(resolve => {
    const request = new XMLHttpRequest();
    request.open('GET', '/static/big.bin');
    request.responseType = 'arraybuffer';
    request.onload = event => resolve([request.status, request.response.byteLength, event.lengthComputable, event.total]);
    request.send();
  }));
  assert.deepEqual(xhr, [200, BIG, true, BIG]);

  const part = await page.evaluate(async () => {
    const response = await fetch('/static/big.bin', { headers: { Range: 'bytes=1000001-1000008' } });
    return [response.status, response.headers.get('content-range'), response.headers.get('content-length'), await response.text()];
  });
  assert.deepEqual(part, [206, `bytes 1000001-1000008/${BIG}`, '8', 'osthosth']);

  const synchronous = await page.evaluate(() => {
    const request = new XMLHttpRequest();
    request.open('GET', '/static/small.txt', false);
    request.send();
    return [request.status, request.responseText];
  });
  assert.deepEqual(synchronous, [200, 'via the host\n']);
  await page.close();
});

test('a redirect leads where the site says', async () => {
  const page = await openSmall();
  assert.equal(await textOf(page, '/static/moved.txt'), '200 from elsewhere');
  const script = await page.evaluate(() => new Promise(resolve => {
    const image = new Image();
    image.onload = image.onerror = event => resolve(event.type);
    image.src = '/static/moved.txt';
  }));
  assert.equal(script, 'error');
  await page.close();
});

test('a site that packs even a part of a file is asked once more, for the whole', async () => {
  const page = await openSmall();
  other.mark();
  const packed = await page.evaluate(() => new Promise(resolve => {
    const script = document.createElement('script');
    script.onload = script.onerror = () => resolve(window.packed);
    script.src = '/static/packed.js';
    document.head.append(script);
  }));
  assert.equal(packed, true);
  await other.logged();
  assert.deepEqual(other.requests('/static/packed.js').map(({ status, range }) => [status, range]), [[206, 'bytes=0-0'], [200, '']]);
  await page.close();
});

test('seeking takes the host\'s bytes, and no more than is played', async () => {
  const page = await openSmall();
  other.mark();
  const played = await page.evaluate(async () => {
    const audio = new Audio('/static/long.wav');
    audio.preload = 'auto';
    await new Promise((resolve, reject) => {
      audio.onloadedmetadata = resolve;
      audio.onerror = () => reject(audio.error);
    });
    audio.currentTime = audio.duration - 30;
    await new Promise(resolve => audio.onseeked = resolve);
    return [Math.round(audio.duration), Math.round(audio.currentTime)];
  });
  assert.deepEqual(played, [LONG_SECONDS, LONG_SECONDS - 30]);
  await other.logged();
  const asked = visitor.mock.gateway().filter(({ gateway }) => gateway.endsWith('/long.wav')).map(({ range }) => range.slice(6).split('-').map(Number));
  assert.ok(asked[0][0] === 0 && asked.some(([start]) => start > 8000 * (LONG_SECONDS - 100)), JSON.stringify(asked));
  assert.ok(asked.every(([start, last]) => last - start < 4 << 20), JSON.stringify(asked));
  const requests = other.requests('/static/long.wav');
  assert.ok(requests.length > 0 && requests.every(({ status, bytes }) => status === 206 && bytes <= 512), JSON.stringify(requests));
  await page.close();
});

test('query strings, other methods, conditions and files outside the bundle go to the site untouched', async () => {
  const page = await openSmall();
  const asked = visitor.mock.gateway().length;
  other.mark();
  for (const [url, options] of [['/static/small.txt?v=2', {}], ['/static/small.txt?', {}], ['/static/small.txt', { method: 'HEAD' }],
    ['/static/small.txt', { method: 'POST' }], ['/static/small.txt', { headers: { 'If-None-Match': '"no"' } }], ['/index.html', {}], ['/static/', {}]]) {
    await fetchInPage(page, url, { cache: 'no-store', ...options });
  }
  assert.deepEqual(other.requests('/').filter(({ path }) => path !== '/fringe-sw.js').map(request => `${request.method} ${request.path}${request.range}`),
    ['GET /static/small.txt', 'GET /static/small.txt', 'HEAD /static/small.txt', 'POST /static/small.txt', 'GET /static/small.txt', 'GET /index.html',
      'GET /static/']);
  assert.equal(visitor.mock.gateway().length, asked);
  assert.equal((await fetchInPage(page, '/static/missing.txt')).status, 404);
  await page.close();
});

test('two sites open at once do not mix, and a frame within another site gets nothing', async () => {
  const second = await openSmall();
  const first = await openDemo();
  const [mine, theirs] = await Promise.all([fetchInPage(first, '/static/images/icon.svg'), fetchInPage(second, '/static/images/icon.svg')]);
  assert.deepEqual([mine.status, theirs.status], [200, 404]);

  // A frame of the other site within the first, and that other site's files asked for by the first.
  const asked = visitor.mock.gateway().length;
  other.mark();
  await first.evaluate(url => new Promise(resolve => {
    const frame = document.createElement('iframe');
    frame.onload = resolve;
    frame.src = url;
    document.body.append(frame);
  }), `${other.url}/`);
  await first.evaluate(url => fetch(url, { mode: 'no-cors', cache: 'no-store' }).then(() => {}), `${other.url}/static/small.txt`);
  assert.deepEqual(visitor.mock.gateway().slice(asked), []);
  assert.deepEqual(other.requests('/static/').map(({ range }) => range), ['', '']);
  await first.close();
  await second.close();
});

test('a zone switched off and on again works at once on an open page', async () => {
  const page = await openSmall();
  const answer = () => textOf(page, '/static/small.txt', { cache: 'no-store' });
  assert.equal(await answer(), '200 via the host\n');
  const popup = await firefox.openExtensionPage('popup/popup.html');
  const choose = zone => popup.evaluate((site, to) => browser.runtime.sendMessage({ type: 'popup.zone', site, zone: to }), other.url, zone);
  assert.deepEqual(await choose('off'), { zone: 'off' });
  assert.equal(await answer(), '200 a small file\n');
  await page.reload();
  await waitFor('the worker to go', () => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length === 0));
  assert.equal(await page.evaluate(() => window.ran), true);
  assert.deepEqual(await choose('share'), { zone: 'share' });
  assert.equal(await answer(), '200 via the host\n');
  await popup.close();
  await page.close();
});

test('a container tab is a visitor like any other', async () => {
  const container = await firefox.browser.createBrowserContext();
  const page = await openSmall(container);
  assert.equal(await textOf(page, '/static/small.txt'), '200 via the host\n');
  assert.equal(await page.evaluate(() => window.ran), 'hos');
  await container.close();
});

test('a strict content security policy is no hindrance; a private window never takes part', async () => {
  const strict = await startOrigin(scope, { name: 'localhost' });
  writeSmallSite(strict.root);
  strict.headers = { '/': { 'Content-Security-Policy': STRICT_CSP } };
  const entry = await deployMock(strict, { seq: 1 });
  for (const [name, prefs, cost] of [['bert', {}, 100], ['cora', { 'browser.privatebrowsing.autostart': true }, BIG]]) {
    const who = newMockVisitor(scope, name, { sites: { [strict.url]: entry } });
    const browser = await openFirefox(scope, who, { origins: [strict], prefs, extension: patient, welcome: cost >= BIG });
    if (!prefs['browser.privatebrowsing.autostart']) await waitForHost(browser);
    strict.mark();
    const page = await browser.newPage();
    await page.goto(`${strict.url}/`);
    if (cost < BIG) await waitForWorker(page);
    const { status, hash } = await fetchInPage(page, '/static/big.bin');
    assert.deepEqual([status, hash, await page.evaluate(() => window.ran)], [200, hashOf(strict.root, 'static/big.bin'), true]);
    const bytes = strict.bytes('/static/');
    assert.ok(cost < BIG ? bytes < cost : bytes >= cost, `${name}: ${bytes}`);
    if (cost >= BIG) assert.equal(who.mock.asked('site.open').length, 0);
    await browser.close();
  }
});
