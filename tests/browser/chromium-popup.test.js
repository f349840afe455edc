// The popup in Chromium: what it says in each state, the switch by keyboard, and pictures of it in build/screenshots/.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { REPO } from './lib/paths.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const PICTURES = join(REPO, 'build', 'screenshots');
const PLAIN = '<!doctype html><link rel="icon" href="data:,"><script src="/static/page.js"></script>';

const scope = new Scope();
let origin;
let plain;
let visitor;
let chromium;

before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  origin = await startOrigin(scope);
  writeSmallSite(origin.root);
  plain = await startOrigin(scope, { name: 'other.localhost' });
  writeSmallSite(plain.root, { pages: { 'index.html': PLAIN } });
  const extension = patientExtension(scope);
  visitor = newMockVisitor(scope, 'anna', { sites: { [origin.url]: await deployMock(origin, { seq: 42, version: '2026.4', extension }) } });
  chromium = await openChromium(scope, visitor, { origins: [origin, plain], extension });
  await waitForHost(chromium);
});
after(() => scope.close());

/** Opens `url` and the popup for it, as wide as the real one. */
async function openPopup(browser, url, { scheme = 'light', drop = true } = {}) {
  const page = await browser.newPage();
  await page.goto(url);
  await waitFor('the page', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
  const popup = await browser.newPage();
  const errors = [];
  popup.on('pageerror', error => errors.push(error.message));
  await popup.setViewport({ width: 320, height: 560 });
  await popup.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await popup.goto(browser.extensionUrl('popup/popup.html'));
  const tab = await popup.evaluate(async address => (await chrome.tabs.query({})).find(candidate => candidate.url === address).id, page.url());
  await popup.goto(browser.extensionUrl(`popup/popup.html#tab=${tab}`));
  await popup.reload();
  await popup.waitForFunction(() => document.body.dataset.drawn === 'true');
  return { page, popup, errors, close: async () => drop && Promise.all([page.close(), popup.close()]) };
}

const textOf = (popup, id) => popup.$eval(`#${id}`, element => (element.checkVisibility() ? element.textContent : null));
const chosen = (popup, zone) => waitFor(`"${zone}"`, () => popup.$eval(`input[value=${zone}]`, input => input.checked && !input.matches(':disabled')));
/** What the popup says of the site changes while it is open. */
const siteStateIs = (popup, words) => waitFor(String(words), async () => words.test(await textOf(popup, 'site-state')));
const picture = (popup, name) => popup.screenshot({ path: join(PICTURES, `popup-${name}.png`), fullPage: true });

/** Nothing may stick out of the popup's 320 pixels. */
async function fits(popup) {
  assert.equal(await popup.evaluate(() => document.documentElement.scrollWidth), 320);
}

for (const scheme of ['light', 'dark']) {
  test(`a site that takes part (${scheme})`, async () => {
    visitor.mock.set({ source: scheme === 'light' ? 'peers' : 'cache' });
    const { page, popup, errors, close } = await openPopup(chromium, `${origin.url}/`, { scheme });
    await waitForWorker(page);
    await fetchInPage(page, '/static/big.bin');
    await waitFor('the bytes', async () => /4\s?MB/.test(await textOf(popup, scheme === 'light' ? 'bytes-peers' : 'bytes-cache')));
    await fetchInPage(page, '/static/big.bin', { headers: { range: 'bytes=-5' } });
    assert.equal(await textOf(popup, 'site-name'), new URL(origin.url).host);
    await siteStateIs(popup, /2026\.4.*42/);
    assert.equal(await textOf(popup, 'trouble'), null);
    assert.match(await popup.$eval('#bar', bar => bar.getAttribute('aria-label')), /4\s?MB/);
    await fits(popup);
    await picture(popup, `site-${scheme}`);
    assert.deepEqual(errors, []);
    await close();
  });
}

test('bytes that the site had to send after all are shown', async () => {
  const { page, popup, close } = await openPopup(chromium, `${origin.url}/`);
  await waitForWorker(page);
  visitor.mock.set({ faults: { cutAt: 1_000_000 } });
  await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
  visitor.mock.set({ faults: {} });
  await waitFor('the bytes', async () => /3\s?MB/.test(await textOf(popup, 'bytes-origin')));
  await close();
});

test('the switch works by keyboard, and the site obeys', async () => {
  const { page, popup, close } = await openPopup(chromium, `${origin.url}/`);
  await popup.bringToFront();
  await chosen(popup, 'share');
  await popup.focus('input[value=share]');
  await popup.keyboard.press('ArrowUp');
  await waitFor('fetch', () => visitor.mock.asked('site.zone').at(-1)?.zone === 'fetch');
  await chosen(popup, 'fetch');
  await popup.keyboard.press('ArrowUp');
  await waitFor('off', () => visitor.mock.asked('site.zone').at(-1)?.zone === 'off');
  await siteStateIs(popup, /switched off/i);
  origin.mark();
  await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
  assert.equal(origin.bytes('/static/'), 4_000_000);
  await picture(popup, 'off-light');
  await popup.keyboard.press('ArrowDown');
  await chosen(popup, 'fetch');
  await popup.keyboard.press('ArrowDown');
  await waitFor('share', () => visitor.mock.asked('site.zone').at(-1)?.zone === 'share');
  await close();
});

test('every control has a name, every picture a text, and all can be reached by keyboard', async () => {
  const { popup, close } = await openPopup(chromium, `${origin.url}/`);
  const tree = await popup.accessibility.snapshot();
  const all = [];
  (function walk(node) {
    all.push(node);
    node.children?.forEach(walk);
  })(tree);
  const named = role => all.filter(node => node.role === role).map(node => node.name);
  assert.equal(named('radio').length, 3);
  assert.ok([...named('radio'), ...named('image'), ...named('heading')].every(Boolean), JSON.stringify(all));
  await popup.bringToFront();
  await chosen(popup, 'share');
  await popup.keyboard.press('Tab');
  assert.equal(await popup.evaluate(() => document.activeElement.value), 'share', 'the chosen one of the group');
  await close();
});

test('a site that takes no part', async () => {
  const { popup, close } = await openPopup(chromium, `${plain.url}/`);
  await siteStateIs(popup, /does not take part/);
  assert.equal(await textOf(popup, 'zones'), null);
  assert.equal(await textOf(popup, 'page'), null);
  await picture(popup, 'plain-light');
  await close();
});

test('a release that cannot be used', async () => {
  const { sites } = visitor.mock.config;
  visitor.mock.set({ sites: { [origin.url]: { ...sites[origin.url], reason: 'bad-signature' } } });
  const { popup, close } = await openPopup(chromium, `${origin.url}/?bad`);
  await siteStateIs(popup, /signature/);
  visitor.mock.set({ sites });
  await close();
});

for (const [name, config, words] of [['missing', null, /not installed/], ['wrong-version', { api: 9 }, /do not fit/]]) {
  test(`the host is ${name}`, async () => {
    const bert = config ? newMockVisitor(scope, 'bert', config) : newVisitor(scope, 'bert');
    const browser = await openChromium(scope, bert, { origins: [origin], host: Boolean(config) });
    const { popup } = await openPopup(browser, `${origin.url}/`, { scheme: 'dark' });
    await waitFor('the words', async () => words.test(await textOf(popup, 'trouble-title') ?? ''));
    assert.ok(await textOf(popup, 'trouble-help'));
    assert.equal(await popup.$eval('#zones', zones => zones.disabled), true);
    await popup.click('#retry');
    await fits(popup);
    await picture(popup, `${name}-dark`);
    await browser.close();
  });
}
