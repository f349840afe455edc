// Everything that can break at a visitor's, in turn, in one browser that stays open: each time the page loads whole, the popup says what
// is wrong, and all is well again when the cause has gone. `chromium-breaks.test.js` and `firefox-breaks.test.js` run it.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { newFragileVisitor } from './fragile.js';
import { startOrigin } from './origin.js';
import { EXTENSION } from './paths.js';
import { problemsShown } from './popup.js';
import { deploy } from './publish.js';
import { Scope, waitFor } from './scope.js';
import { fetchInPage, hashOf, waitForWorker, writeSmallSite } from './small-site.js';

const DAY = 86400;
const YEAR = 366 * DAY;
const FRESH = 24;
const FRESH_BYTES = 400_000;
const BIG = '/static/big.bin';
const BIG_BYTES = 12_000_000;
/** A host that hangs may cost a page a few of the product's own limits, each about a second, on a machine that has much else to do. */
const MOMENT_MS = 15000;
/** Firefox asks the site for one byte of each file that it replaces, and media for some more. */
const NEXT_TO_NOTHING = 2048;

/** A native program that says hello in its own way and then nothing. */
const sayingHello = fields => `#!/usr/bin/env node
process.stdin.once('data', data => {
  const { id } = JSON.parse(data.subarray(4).toString());
  const text = Buffer.from(JSON.stringify({ id, ok: true, version: 'odd', pid: 1, gateway: 'http://127.0.0.1:9', default_zone: 'share', ...${JSON.stringify(fields)} }));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(text.length);
  process.stdout.write(Buffer.concat([head, text]));
});
process.stdin.on('end', () => process.exit(0));
`;

/**
 * `open` is openChromium or openFirefox. `cacheNeedsSite`: files from the cache come only while the site answers. `tellsProgram`: the browser
 * tells when the host's program is gone (and not when the host is for another extension).
 */
export function testBreaks(open, { cacheNeedsSite, tellsProgram }) {
  const scope = new Scope();
  let origin;
  let visitor;
  let fragile;
  let extension;
  let browser;
  let fresh = 0;
  let lastWords = '';

  before(async () => {
    origin = await startOrigin(scope);
    const files = Array.from({ length: FRESH }, (_, i) => [`static/fresh${i}.bin`, Buffer.alloc(FRESH_BYTES, `fresh ${i} `)]);
    writeSmallSite(origin.root, { files: Object.fromEntries(files), bigBytes: BIG_BYTES });
    await deploy(origin, join(origin.root, 'static'));
    visitor = await newFragileVisitor(scope, 'anna', { caFile: origin.caFile });
    fragile = visitor.fragile;
    extension = scope.folder('extension');
    cpSync(EXTENSION, extension, { recursive: true });
    browser = await open(scope, visitor, { origins: [origin], extension });
    await isWell();
  });
  after(async () => {
    fragile?.release();
    await scope.close();
  });

  /** A page of the site, loaded now; whatever is broken, it comes whole. */
  async function openPage() {
    const page = await browser.newPage();
    await page.goto(`${origin.url}/`);
    await waitFor('the page itself', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
    return page;
  }

  async function isWhole(page, path) {
    const result = await fetchInPage(page, path, { cache: 'no-store' });
    assert.deepEqual([result.status, result.hash], [200, hashOf(origin.root, path)], `${path}: ${JSON.stringify(result)}`);
    return result;
  }

  const nextFresh = () => `/static/fresh${fresh++ % FRESH}.bin`;

  /** Opens a page and has it fetch a file that it knows and one that nobody has fetched; answers what came from where. */
  async function load() {
    const page = await openPage();
    origin.mark();
    const path = nextFresh();
    const known = await isWhole(page, '/static/small.txt');
    const unknown = await isWhole(page, path);
    const fromSite = { known: origin.bytes('/static/small.txt'), unknown: origin.bytes(path) };
    await page.close();
    return { fromSite, ms: known.ms + unknown.ms };
  }

  /** What the popup says is wrong, for the tab of `page` or for none: the problems' names, each of which has a title and a help. */
  async function problems(page = null) {
    const said = await problemsShown(browser, page);
    for (const { id, title, help } of said) assert.ok(title.length > 10 && help.length > 20, id);
    lastWords = said.map(({ all }) => all).join();
    return said.map(({ id }) => id);
  }

  function says(wanted, page = null) {
    return waitFor(`the popup to say ${wanted || 'nothing'}`, async () => {
      const said = await problems(page);
      if (said.join() !== wanted) throw new Error(`it says ${said} (${lastWords})`);
      return true;
    });
  }

  /** Nothing is wrong, and a new page has its files from the host. */
  async function isWell() {
    await says('');
    await waitFor('the host to be used', async () => {
      const page = await openPage();
      await waitForWorker(page);
      await isWhole(page, '/static/small.txt');
      origin.mark();
      await isWhole(page, '/static/small.txt');
      await page.close();
      return origin.bytes('/static/small.txt') <= 1;
    });
  }

  test('a disk that is full', async () => {
    await fragile.keep(origin.url);
    await fragile.fill();
    const { fromSite } = await load();
    assert.ok(fromSite.known <= 1, 'what is in the cache comes from there');
    assert.ok(fromSite.unknown >= FRESH_BYTES);
    await says('store-full');
    await fragile.free();
    await isWell();
    await waitFor('new files to be kept', async () => (await load()).fromSite.unknown >= FRESH_BYTES && (await fragile.status()).cache.files >= 3);
  });

  test('the host is stopped, and later starts on a read-only disk', async () => {
    fragile.hold();
    await fragile.stop();
    const { fromSite } = await load();
    assert.deepEqual(fromSite, { known: 13, unknown: FRESH_BYTES });
    await fragile.onDisk('mount -o remount,ro .');
    fragile.release();
    await says('store-read-only');
    await waitFor('the cache to be read', async () => (await load()).fromSite.known <= 1);
    await fragile.onDisk('mount -o remount,rw .');
    await isWell();
  });

  test('the host crashes in the middle of a file', async () => {
    const page = await openPage();
    const whole = isWhole(page, BIG);
    await fragile.signal('SIGKILL');
    await whole;
    await load();
    await page.close();
    await isWell();
  });

  test('the host hangs: one page waits a moment, those after it do not, and the popup says so', async () => {
    const pid = await fragile.signal('SIGSTOP');
    const first = await load();
    assert.ok(first.ms < MOMENT_MS, `${first.ms} ms`);
    await says('host-hangs');
    const second = await load();
    assert.ok(second.fromSite.known > 1, 'it is not even asked');
    process.kill(pid, 'SIGCONT');
    await isWell();
  });

  test('the computer sleeps for a night', async () => {
    const page = await openPage();
    await isWhole(page, '/static/small.txt');
    const pid = await fragile.signal('SIGSTOP');
    fragile.setClock(8 * 3600);
    process.kill(pid, 'SIGCONT');
    await isWhole(page, nextFresh());
    await page.close();
    await load();
    await isWell();
    fragile.setClock(0);
  });

  for (const [which, seconds] of [['ahead', YEAR], ['behind', -YEAR]]) {
    test(`a clock that is a year ${which}`, async () => {
      fragile.setClock(seconds);
      await load();
      await waitFor('the popup to say so', async () => {
        const page = await openPage();
        await isWhole(page, nextFresh());
        const said = await problems(page);
        await page.close();
        return said.join() === `clock-${which}`;
      });
      fragile.setClock(0);
      await isWell();
    });
  }

  test('the site is down: open pages go on as far as the browser allows', async () => {
    const page = await openPage();
    await waitForWorker(page);
    await isWhole(page, '/static/small.txt');
    await origin.stop();
    const known = await fetchInPage(page, '/static/small.txt', { cache: 'no-store' });
    if (cacheNeedsSite) assert.ok(known.error, JSON.stringify(known));
    else assert.equal(known.hash, hashOf(origin.root, '/static/small.txt'));
    const unknown = await fetchInPage(page, nextFresh(), { cache: 'no-store' });
    assert.ok(unknown.error, 'it ends as without us');
    await says('site-unreachable', page);
    await origin.start();
    await isWhole(page, nextFresh());
    await page.close();
    await isWell();
  });

  const programs = {
    'is of an older version': ['host-older', () => fragile.breakProgram(sayingHello({ api: 0 }))],
    'is of a newer version': ['host-newer', () => fragile.breakProgram(sayingHello({ api: 2 }))],
    'ends at once': ['host-ended', () => fragile.breakProgram('#!/bin/sh\nexit 1\n')],
    // What each browser does not tell from one that is not installed: Chromium a program that is gone, Firefox another extension's host.
    'has lost its program': [tellsProgram ? 'host-not-startable' : 'host-missing', () => fragile.breakProgram(null)],
    'is for another extension': [tellsProgram ? 'host-missing' : 'host-not-allowed', () => fragile.breakManifest(browser, text => text.replace(/gnngk\w+|fringe@[\w.]+/, id => id.split('').reverse().join('')))],
    'is not installed': ['host-missing', () => fragile.breakManifest(browser, null)],
  };
  for (const [name, [id, breakIt]] of Object.entries(programs)) {
    test(`a host that ${name}`, async () => {
      await fragile.stop();
      breakIt();
      await retry();
      await says(id);
      const { fromSite } = await load();
      assert.deepEqual(fromSite, { known: 13, unknown: FRESH_BYTES });
      fragile.mend(browser);
      await retry();
      await isWell();
    });
  }

  /** The popup's button, without waiting for the next try. */
  async function retry() {
    const popup = await browser.openExtensionPage('popup/popup.html');
    await popup.evaluate(() => chrome.runtime.sendMessage({ type: 'popup.retry' }));
    await popup.close();
  }

  test('the extension is updated while pages are open', async () => {
    const page = await openPage();
    await isWhole(page, '/static/small.txt');
    const file = join(extension, 'manifest.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"version": "[^"]*"/, '"version": "0.1.77"'));
    await browser.updateExtension(extension);
    await isWhole(page, nextFresh());
    await isWhole(page, '/static/small.txt');
    await says('page-unseen', page);
    await page.reload();
    await isWell();
    await says('', page);
    await page.close();
  });

  test('the browser is started again, and a page is there before the extension', async () => {
    await browser.close();
    browser = await open(scope, visitor, { origins: [origin], extension, first: `${origin.url}/?first` });
    const page = await waitFor('the first page', async () => (await browser.browser.pages()).find(each => each.url().startsWith(`${origin.url}/`)) ?? openPage());
    await waitFor('the page itself', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
    await isWhole(page, nextFresh());
    // Which of the two was there first is the browser's affair.
    const said = await problems(page);
    assert.ok(['', 'page-unseen'].includes(said.join()), lastWords);
    await page.reload();
    await says('', page);
    await load();
    await isWell();
  });
}
