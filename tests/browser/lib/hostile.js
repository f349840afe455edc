// Pages and another extension that mean harm, in either browser: what `chromium-hostile.test.js` and `firefox-hostile.test.js` share. In
// all of it the visitor is at `evil`, which takes part itself, and has been at `good`.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from './scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './small-site.js';

export const OTHER_EXTENSION = 'evil@fringe.example';
const RELEASE = '/.well-known/fringe/release.json';
const MANY = 20000;
const MESSAGES = ['popup.state', 'popup.zone', 'popup.retry', 'settings.set', 'settings.zone', 'sites.list', 'page.hello', 'page.label', 'page.enter', 'page.ownWorker'];
const script = '<script src="/static/page.js"></script>';

/** The pages of `evil`, beside those of a small site. Restarts it. */
export async function writeHostilePages(evil, good) {
  const links = Array.from({ length: MANY }, (_, i) => `<link rel="fringe" href="/prefix${i}/" data-seq="${i}">`).join('');
  writeSmallSite(evil.root, { pages: {
    'claims.html': `<!doctype html>${script}`,
    'element.html': `<!doctype html><link rel="fringe" href="${good.url}${RELEASE}" data-seq="1">${script}`,
    'many.html': `<!doctype html>${links}${script}`,
    'frame.html': `<!doctype html><iframe src="${good.url}/"></iframe>`,
  } });
  const header = Array.from({ length: 90 }, (_, i) => `</x${i}>; rel="fringe"; seq=${i}`).join(', ');
  evil.headers = { ...evil.headers, '= /claims.html': { Link: `<${good.url}${RELEASE}>; rel="fringe"; seq=1` }, '= /element.html': { 'X-Plain': '1' }, '= /many.html': { Link: header } };
  await evil.restart();
}

/** An extension that asks for what it may, and its id in Chromium. */
export function writeOtherExtension(folder) {
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({
    manifest_version: 3, name: 'other', version: '1', permissions: ['nativeMessaging', 'storage'], host_permissions: ['https://*/*', 'http://127.0.0.1/*'],
    browser_specific_settings: { gecko: { id: OTHER_EXTENSION, data_collection_permissions: { required: ['none'] } } },
  }));
  writeFileSync(join(folder, 'page.html'), '<!doctype html><title>other</title>');
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 32);
  return [...digest].map(digit => 'abcdefghijklmnop'[parseInt(digit, 16)]).join('');
}

/** `at()` is {browser, good, evil, visitor, extensionId, otherPage}: the last is the address of the other extension's page. */
export function testHostile(at) {
  async function open(url) {
    const page = await at().browser.newPage();
    await page.goto(url);
    await waitFor('the page', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
    return page;
  }

  /** A page of `good` whose file has come from the host, so that it is in the cache; answers the file's address at the gateway. */
  async function visitGood() {
    const { good, visitor } = at();
    const page = await open(`${good.url}/`);
    await waitForWorker(page);
    await waitFor('the host to be used', async () => {
      const before = visitor.mock.gateway().length;
      await fetchInPage(page, '/static/secret.txt', { cache: 'no-store' });
      return visitor.mock.gateway().length > before;
    });
    await page.close();
    const { host, gateway } = visitor.mock.gateway().at(-1);
    return `http://${host}${gateway}`;
  }

  test('a page that claims the label of another site, in a header or an element, is none of its pages', async () => {
    const { evil, good, visitor } = at();
    const before = visitor.mock.asked('site.open').length;
    const wanted = visitor.mock.asked('asset.want').length;
    for (const path of ['/claims.html', '/element.html']) {
      const page = await open(evil.url + path);
      assert.equal((await fetchInPage(page, '/static/small.txt', { cache: 'no-store' })).bytes, 13);
      await page.close();
    }
    assert.deepEqual(visitor.mock.asked('site.open').slice(before).filter(({ site }) => site === good.url), []);
    assert.deepEqual(visitor.mock.asked('asset.want').slice(wanted).filter(({ site }) => site === good.url), []);
  });

  test('thousands of labels on one page, and a release of a million prefixes', async () => {
    const { evil, visitor } = at();
    const before = visitor.mock.asked('site.open').length;
    await (await open(`${evil.url}/many.html`)).close();
    assert.ok(visitor.mock.asked('site.open').length - before <= 2);
    const { sites } = visitor.mock.config;
    visitor.mock.set({ sites: { ...sites, [evil.url]: { ...sites[evil.url], bases: Array.from({ length: 20000 }, (_, i) => `/p${i}/`) } } });
    const page = await open(`${evil.url}/`);
    assert.equal((await fetchInPage(page, '/static/small.txt', { cache: 'no-store' })).bytes, 13);
    await page.close();
    visitor.mock.set({ sites });
    await visitGood();
  });

  test('a flood of requests from one site leaves another its files', async () => {
    const { evil, good } = at();
    const page = await open(`${evil.url}/`);
    const flood = page.evaluate(() => Promise.all(Array.from({ length: 300 }, () => fetch('/static/small.txt', { cache: 'no-store' }).then(reply => reply.text(), String)))
      .then(texts => [...new Set(texts)]));
    const other = await open(`${good.url}/`);
    assert.equal((await fetchInPage(other, '/static/secret.txt', { cache: 'no-store' })).status, 200);
    assert.equal((await flood).length, 1);
    await page.close();
    await other.close();
    await visitGood();
  });

  test('the gateway answers no page, of its own site or another, not even one that knows the address', async () => {
    const { evil, good, visitor } = at();
    const url = await visitGood();
    const guess = url.replace(/[0-9a-f]{32}/, '0'.repeat(32));
    for (const site of [evil, good]) {
      const page = await open(`${site.url}/`);
      const got = await page.evaluate(addresses => Promise.all(addresses.flatMap(address => {
        const by = (tag, name) => new Promise(resolve => {
          const element = Object.assign(document.createElement(tag), { onload: () => resolve(`${tag} loaded`), onerror: () => resolve('refused'), [name]: address });
          if (tag === 'link') element.rel = 'stylesheet';
          document.body.append(element);
        });
        // Where the browser asks the visitor first, nothing comes as long as nobody has answered.
        return [
          fetch(address).then(() => 'fetched', () => 'refused'), fetch(address, { mode: 'no-cors' }).then(() => 'fetched', () => 'refused'),
          by('img', 'src'), by('script', 'src'), by('link', 'href'), by('video', 'src'),
        ].map(each => Promise.race([each, new Promise(resolve => { setTimeout(resolve, 2000, 'refused'); })]));
      })), [url, guess]);
      assert.deepEqual([...new Set(got)], ['refused'], site.url);
      await page.close();
    }
    const before = visitor.mock.gateway().length;
    const page = await open(`${evil.url}/`);
    await page.evaluate(address => navigator.sendBeacon(address, 'x'), url);
    await fetchInPage(page, '/static/small.txt?after', { cache: 'no-store' });
    assert.deepEqual(visitor.mock.gateway().slice(before).filter(({ method }) => method === 'POST'), []);
    await page.close();
  });

  test('a page reaches nothing of the extension but the bridge', async () => {
    const { evil, browser, visitor } = at();
    const before = visitor.mock.asked('settings').length;
    const page = await open(`${evil.url}/`);
    assert.deepEqual(await page.evaluate(() => [typeof globalThis.browser, typeof globalThis.chrome?.runtime?.sendMessage]), ['undefined', 'undefined']);
    const files = ['manifest.json', 'popup/popup.html', 'welcome/welcome.html', 'background/main.js', 'common/paths.js', 'icons/fringe-16.png'];
    for (const file of files) {
      const got = await page.evaluate(address => Promise.all([
        fetch(address).then(() => 'fetched', () => 'refused'),
        import(address).then(() => 'imported', () => 'refused'),
        new Promise(resolve => { Object.assign(new Image(), { onload: () => resolve('shown'), onerror: () => resolve('refused'), src: address }); }),
      ]), browser.extensionUrl(file));
      assert.deepEqual(got, ['refused', 'refused', 'refused'], file);
    }
    assert.equal(visitor.mock.asked('settings').length, before);
    await page.close();
  });

  test('another extension can neither speak to ours nor to the host', async () => {
    const { browser, visitor, otherPage, extensionId, good } = at();
    const count = () => ['settings', 'site.zone', 'pause', 'site.open'].map(type => visitor.mock.asked(type).length);
    const before = count();
    const page = await browser.newPage();
    page.goto(otherPage).catch(() => {});
    await waitFor('its page', () => page.evaluate(() => document.title === 'other'));
    const said = await page.evaluate(async (id, types, site) => {
      const api = globalThis.browser ?? globalThis.chrome;
      const answers = [];
      for (const type of types) {
        const message = { type, tab: 1, site, zone: 'off', settings: { upload_rate: 1 }, page: crypto.randomUUID(), controlled: true, href: `${site}/` };
        answers.push(await api.runtime.sendMessage(id, message).then(answer => (answer === undefined ? 'nothing' : JSON.stringify(answer)), () => 'nothing'));
      }
      const ends = open => new Promise(resolve => {
        try {
          const port = open();
          port.onDisconnect.addListener(() => resolve('closed'));
          port.onMessage.addListener(message => resolve(JSON.stringify(message)));
          port.postMessage({ id: 1, type: 'hello', api: 1, client: 'extension', version: '1' });
        } catch {
          resolve('closed');
        }
      });
      answers.push(await ends(() => api.runtime.connect(id)), await ends(() => api.runtime.connectNative('org.fringe.host')));
      return [...new Set(answers)];
    }, extensionId, MESSAGES, good.url);
    assert.deepEqual(said, ['nothing', 'closed']);
    assert.deepEqual(count(), before);
    await page.close();
  });

  test('a site cannot learn what the visitor has of another: its files come from that site, whatever is in the cache', async () => {
    const { evil, good, visitor } = at();
    const [token] = /[0-9a-f]{32}/.exec(await visitGood());
    const gateway = visitor.mock.gateway().length;
    const wanted = visitor.mock.asked('asset.want').length;
    good.mark();
    const page = await open(`${evil.url}/`);
    const sizes = await page.evaluate(async address => {
      await fetch(address, { mode: 'no-cors', cache: 'no-store' });
      return performance.getEntriesByName(address).map(({ transferSize, decodedBodySize }) => [transferSize, decodedBodySize]);
    }, `${good.url}/static/secret.txt`);
    assert.deepEqual(sizes.flat().filter(Boolean), [], 'its size is not told');
    await page.goto(`${evil.url}/frame.html`);
    const inner = await waitFor('the frame', () => page.frames().find(frame => frame.url().startsWith(good.url)));
    await waitFor('its page', () => inner.evaluate(() => window.ran === true));
    await good.logged();
    assert.deepEqual(good.requests('/static/').map(({ path, range }) => [path, range]), [['/static/secret.txt', ''], ['/static/page.js', '']]);
    assert.deepEqual(visitor.mock.gateway().slice(gateway).filter(({ gateway: path }) => path.includes(token)), []);
    assert.deepEqual(visitor.mock.asked('asset.want').slice(wanted).filter(({ site }) => site === good.url), []);
    await page.close();
  });
}
