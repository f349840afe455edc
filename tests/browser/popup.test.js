// The popup and the badge in both browsers: what they say in each state, that what is changed there takes effect at once, by
// keyboard too, and pictures in build/screenshots/.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { openFirefox } from './lib/firefox.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { badgeIs, badgeOf, openPopup, picture, textIs, textOf, unnamed, waitForHost, walk } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const PLAIN = '<!doctype html><link rel="icon" href="data:,"><script src="/static/page.js"></script>';

const scope = new Scope();
let origin;
let plain;
let extension;
let site;

before(async () => {
  origin = await startOrigin(scope);
  writeSmallSite(origin.root);
  plain = await startOrigin(scope, { name: 'other.localhost' });
  writeSmallSite(plain.root, { pages: { 'index.html': PLAIN } });
  extension = patientExtension(scope);
  site = await deployMock(origin, { seq: 42, version: '2026.4', extension });
});
after(() => scope.close());

const isChosen = (popup, zone) => waitFor(`"${zone}"`, () => popup.evaluate(value => {
  const input = document.querySelector(`input[value=${value}]`);
  return input.checked && !input.matches(':disabled');
}, zone));

for (const [kind, open] of [['chromium', openChromium], ['firefox', openFirefox]]) {
  describe(kind, () => {
    let visitor;
    let browser;
    const asked = type => visitor.mock.asked(type).at(-1);

    before(async () => {
      visitor = newMockVisitor(scope, kind, { sites: { [origin.url]: site }, siteStatus: { peers: 3 } });
      browser = await open(scope, visitor, { origins: [origin, plain], extension });
      await waitForHost(browser);
    });
    after(() => browser.close());

    test('a site that takes part: release, bytes by source, peers, files on the badge', async () => {
      visitor.mock.set({ source: 'peers' });
      const { page, popup, tab, close } = await openPopup(browser, `${origin.url}/`);
      await waitForWorker(page);
      await fetchInPage(page, '/static/big.bin');
      await textIs(popup, 'bytes-peers', /4\s?MB/);
      visitor.mock.set({ source: 'cache' });
      await fetchInPage(page, '/static/small.txt');
      await textIs(popup, 'bytes-cache', /13\sbytes/);
      assert.equal(await textOf(popup, 'site-name'), new URL(origin.url).host);
      await textIs(popup, 'site-state', /2026\.4.*42/);
      await textIs(popup, 'peers', /^3$/);
      assert.equal(await textOf(popup, 'problems'), '');
      assert.match(await popup.evaluate(() => document.getElementById('bar').getAttribute('aria-label')), /4\s?MB from other visitors/);
      const { text, title } = await waitFor('the badge', async () => {
        const badge = await badgeOf(popup, tab);
        return Number(badge.text) >= 2 && badge;
      });
      assert.match(title, new RegExp(`${text} files of this page`));
      await picture(popup, `popup-${kind}-site`);
      assert.deepEqual(await popup.errors(), []);
      await close();
    });

    test('bytes that the site had to send after all are shown', async () => {
      const { page, popup, close } = await openPopup(browser, `${origin.url}/`);
      await waitForWorker(page);
      visitor.mock.set({ faults: { cutAt: 1_000_000 } });
      await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
      visitor.mock.set({ faults: {} });
      await textIs(popup, 'bytes-origin', /3\s?MB/);
      await close();
    });

    test('the switch works by keyboard, and an open page obeys at once', async () => {
      const { page, popup, close } = await openPopup(browser, `${origin.url}/`);
      await waitForWorker(page);
      await popup.bringToFront();
      await isChosen(popup, 'share');
      await popup.focus('input[value=share]');
      await popup.keyboard.press('ArrowLeft');
      await waitFor('fetch', () => asked('site.zone')?.zone === 'fetch');
      await isChosen(popup, 'fetch');
      await popup.keyboard.press('ArrowLeft');
      await waitFor('off', () => asked('site.zone').zone === 'off');
      await textIs(popup, 'site-state', /switched off/i);
      await waitFor('no worker', () => page.evaluate(async () => !await navigator.serviceWorker.getRegistration('/')));
      origin.mark();
      await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
      assert.equal(origin.bytes('/static/'), 4_000_000);
      await picture(popup, `popup-${kind}-off`);
      await popup.keyboard.press('ArrowRight');
      await isChosen(popup, 'fetch');
      await waitFor('the worker', () => page.evaluate(async () => Boolean(await navigator.serviceWorker.getRegistration('/'))));
      await waitFor('files through the host', async () => {
        origin.mark();
        await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
        return origin.bytes('/static/') < 1_000_000;
      });
      await popup.click('#zone-default');
      await waitFor('the choice forgotten', () => asked('site.zone').zone === 'default');
      await isChosen(popup, 'share');
      await close();
    });

    test('a visitor who wants to be asked is asked, and nothing happens before', async () => {
      visitor.mock.set({ defaultZone: 'off' });
      const { page, popup, tab, close } = await openPopup(browser, `${origin.url}/`);
      await popup.evaluate(() => chrome.runtime.sendMessage({ type: 'settings.zone', zone: 'off' }));
      await badgeIs(popup, tab, '?');
      await textIs(popup, 'question', /What do you want here/);
      assert.equal(await popup.evaluate(() => document.querySelector('input[name=zone]:checked')), null);
      origin.mark();
      await fetchInPage(page, '/static/big.bin', { cache: 'no-store' });
      assert.equal(origin.bytes('/static/'), 4_000_000);
      await picture(popup, `popup-${kind}-asks`);
      await popup.click('input[value=fetch]');
      await isChosen(popup, 'fetch');
      await waitFor('the badge', async () => (await badgeOf(popup, tab)).text !== '?');
      assert.equal(asked('site.zone').zone, 'fetch');
      await waitForWorker(page);
      await popup.click('#zone-default');
      await badgeIs(popup, tab, '?');
      await popup.evaluate(() => chrome.runtime.sendMessage({ type: 'settings.zone', zone: 'share' }));
      await isChosen(popup, 'share');
      await close();
    });

    test('limits reach the host, and what it refuses is said', async () => {
      const { popup, close } = await openPopup(browser, `${origin.url}/`);
      await popup.bringToFront();
      await popup.click('#tab-limits');
      await popup.focus('#setting-upload_rate');
      await popup.keyboard.type('250');
      await popup.keyboard.press('Tab');
      await waitFor('the rate', () => asked('settings')?.upload_rate === 250_000);
      await popup.keyboard.type('2.5');
      await popup.keyboard.press('Tab');
      await waitFor('the cap', () => asked('settings').monthly_cap === 2_500_000_000);
      await textIs(popup, 'limits', /of 2\.5\s?GB given/);
      await popup.click('.pause button');
      await waitFor('the pause', () => asked('pause')?.minutes === 60);
      await textIs(popup, 'host', /Paused/);
      await textIs(popup, 'limits', /60 more minutes/);
      await picture(popup, `popup-${kind}-limits`);
      await popup.click('.pause button');
      await textIs(popup, 'host', /Ready/);
      await popup.focus('#setting-upload_rate');
      await popup.keyboard.press('Backspace');
      await popup.keyboard.press('Backspace');
      await popup.keyboard.press('Tab');
      await textIs(popup, 'panel-limits', /at least 8\s?kB\/s/);
      assert.equal(asked('settings').upload_rate, undefined, 'the host was not bothered');
      assert.deepEqual(await popup.errors(), []);
      await close();
    });

    test('metered networks and battery: the switches, and why nothing is shared', async () => {
      const { popup, close } = await openPopup(browser, `${origin.url}/`);
      await popup.bringToFront();
      await popup.click('#tab-limits');
      for (const [name, unsaid] of [['unmetered_only', /Sharing is on[^]*does not say whether its network is metered/], ['mains_only', /does not say whether it runs on battery/]]) {
        await popup.focus(`#setting-${name}`);
        await popup.keyboard.press(' ');
        await waitFor(name, () => asked('settings')?.[name] === 1);
        await textIs(popup, 'limits', unsaid);
      }
      const surroundings = { network: 'metered', power: 'battery' };
      for (const [sharing, words] of [['asking', /Not sharing yet/], ['metered', /Not sharing: this network is metered/], ['battery', /Not sharing: on battery/],
        ['month', /month’s limit is reached/], ['on', /Sharing is on/]]) {
        visitor.mock.set({ status: { sharing, surroundings } });
        await textIs(popup, 'limits', words);
        assert.doesNotMatch(await textOf(popup, 'limits'), /does not say/);
        if (sharing === 'metered') await picture(popup, `popup-${kind}-metered`);
      }
      visitor.mock.set({ status: {} });
      await popup.click('#setting-unmetered_only');
      await popup.click('#setting-mains_only');
      await waitFor('both off', () => asked('settings').mains_only === 0);
      assert.deepEqual(await popup.errors(), []);
      await close();
    });

    test('a thousand sites: a part is shown, the field finds any, and its switch works', async () => {
      const before = visitor.mock.config.sites;
      const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`https://site-${i}.example`, { ...site, zone: 'fetch' }]));
      visitor.mock.set({ sites: { ...before, ...many } });
      const { popup, close } = await openPopup(browser, `${origin.url}/`);
      await popup.bringToFront();
      await popup.click('#tab-cache');
      await textIs(popup, 'site-count', /^1,001 sites$/);
      const rows = () => popup.evaluate(() => document.querySelectorAll('#site-list li').length);
      assert.equal(await rows(), 20);
      await popup.click('#more-sites');
      assert.equal(await rows(), 40);
      assert.equal(await popup.evaluate(() => [...document.querySelectorAll('#site-list li')].findIndex(row => row.contains(document.activeElement))), 20);
      await popup.focus('#find-site');
      await popup.keyboard.type('site-777');
      await textIs(popup, 'site-count', /^1 found$/);
      await waitFor('one row', async () => await rows() === 1);
      assert.deepEqual(await unnamed(popup), []);
      await popup.select('#site-list select', 'off');
      await waitFor('off', () => asked('site.zone')?.site === 'https://site-777.example' && asked('site.zone').zone === 'off');
      await popup.evaluate(() => {
        document.getElementById('find-site').value = '';
        document.getElementById('find-site').dispatchEvent(new Event('input'));
        document.activeElement.blur();
      });
      await textIs(popup, 'site-count', /sites/);
      await picture(popup, `popup-${kind}-sites`);
      visitor.mock.set({ sites: before });
      assert.deepEqual(await popup.errors(), []);
      await close();
    });

    test('the cache: largest first; keep a site, bound it, clear it, clear all, each at the host', async () => {
      const before = visitor.mock.config.sites;
      const sites = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`https://site-${i}.example`, { ...site, zone: 'fetch', bytes: i * 1e6, files: i }]));
      visitor.mock.set({ sites });
      const { popup, close } = await openPopup(browser, `${origin.url}/`);
      await popup.bringToFront();
      await popup.click('#tab-cache');
      await textIs(popup, 'site-list', /^site-999\.example\s+Release 1\s+999\sMB · 999 files · [^]*site-998/);
      // Rows are drawn anew at each change, so a control is pressed where it is now.
      const tap = selector => waitFor(selector, () => popup.evaluate(name => {
        document.querySelector(name).click();
        return true;
      }, selector));
      const inPanel = (words, id) => waitFor(words, () => popup.evaluate((name, said) => document.getElementById(name).innerText.includes(said), id, words));
      await popup.focus('[id="more-https://site-999.example"]');
      await popup.keyboard.press('Enter');
      await waitFor('the panel', () => popup.evaluate(() => document.activeElement.getAttribute('aria-expanded') === 'true'));
      assert.deepEqual(await unnamed(popup), []);
      await popup.focus('#keep-site');
      await popup.keyboard.press(' ');
      await waitFor('kept', () => asked('cache.keep')?.keep === true && asked('cache.keep').site === 'https://site-999.example');
      await inPanel('kept offline', 'site-list');
      assert.equal(await popup.evaluate(() => document.activeElement.id), 'keep-site');
      await popup.focus('#quota-site');
      await popup.keyboard.type('0.5');
      await popup.keyboard.press('Tab');
      await textIs(popup, 'list-error', /at least 1\sMB/);
      await popup.focus('#quota-site');
      for (let i = 0; i < 3; i++) await popup.keyboard.press('Backspace');
      await popup.keyboard.type('250');
      await popup.keyboard.press('Tab');
      await waitFor('the quota of a site', () => asked('cache.quota')?.quota === 250_000_000);
      await picture(popup, `popup-${kind}-cache`);
      await tap('#clear-site');
      await waitFor('the question', () => popup.evaluate(() => /Clear the files of site-999\.example/.test(document.querySelector('dialog')?.innerText)));
      assert.deepEqual(await unnamed(popup), []);
      await popup.keyboard.press('Escape');
      assert.equal(visitor.mock.asked('cache.clear').length, 0);
      await tap('#clear-site');
      await tap('dialog .danger');
      await textIs(popup, 'cache-said', /999 files removed, 999\sMB/);
      assert.equal(asked('cache.clear').site, 'https://site-999.example');
      await textIs(popup, 'site-list', /^site-998/);
      await popup.focus('#cache-quota');
      await popup.keyboard.type('2.5');
      await popup.keyboard.press('Tab');
      await waitFor('the quota', () => asked('settings')?.cache_quota === 2_500_000_000);
      await textIs(popup, 'cache-of', /of 2\.5\sGB/);
      visitor.mock.set({ going: 4 });
      await tap('#clear-cache');
      await tap('dialog .danger');
      await textIs(popup, 'cache-said', /4 files are still being removed/);
      visitor.mock.set({ going: 1 });
      await textIs(popup, 'cache-said', /1 file is still being removed/);
      assert.deepEqual(await popup.evaluate(() => [document.getElementById('cache-going').value, document.getElementById('cache-going').max]), [3, 4]);
      visitor.mock.set({ going: 0 });
      await textIs(popup, 'cache-said', /All of them are gone/);
      assert.equal(asked('cache.clear').site, undefined);
      assert.equal(await popup.evaluate(() => document.getElementById('clear-cache').disabled), true);
      visitor.mock.set({ sites: before });
      assert.deepEqual(await popup.errors(), []);
      await close();
    });

    test('every control has a name, and the keyboard reaches all of them in order', async () => {
      const { popup, close } = await openPopup(browser, `${origin.url}/`);
      await popup.bringToFront();
      await isChosen(popup, 'share');
      const expected = { site: ['tab-site', 'share'], cache: ['tab-cache', 'cache-quota', `zone-${origin.url}`, `more-${origin.url}`], limits: ['tab-limits', 'BUTTON', 'setting-upload_rate', 'setting-monthly_cap'] };
      for (const [name, controls] of Object.entries(expected)) {
        await popup.evaluate(() => document.activeElement.blur());
        await popup.focus(`#tab-${name === 'site' ? 'site' : name === 'cache' ? 'site' : 'cache'}`);
        if (name !== 'site') await popup.keyboard.press('ArrowRight');
        if (name === 'cache') await textIs(popup, 'site-list', /Release/);
        assert.deepEqual(await unnamed(popup), []);
        const focused = await popup.evaluate(() => document.activeElement.id);
        assert.equal(focused, `tab-${name}`);
        assert.equal(await popup.evaluate(() => [...document.querySelectorAll('[role=tab][aria-selected=true]')].map(tab => tab.id).join()), `tab-${name}`);
        assert.deepEqual([focused, ...await walk(popup, controls.length - 1)], controls);
      }
      await close();
    });

    test('a site that takes no part, and a page of the browser', async () => {
      const { popup, tab, page, close } = await openPopup(browser, `${plain.url}/`);
      await textIs(popup, 'site-state', /does not take part/);
      assert.equal(await textOf(popup, 'zones'), null);
      assert.equal(await textOf(popup, 'page'), null);
      await badgeIs(popup, tab, '');
      await picture(popup, `popup-${kind}-plain`);
      await page.goto(`${origin.url}/`);
      await textIs(popup, 'site-state', /Takes part/);
      await page.goto('about:blank');
      await textIs(popup, 'site-state', /belongs to the browser/);
      await close();
    });

    test('a release that cannot be used, a site for super-nodes only, a full disk', async () => {
      visitor.mock.set({ sites: { [origin.url]: { ...site, reason: 'bad-signature' } } });
      const { popup, tab, page, close } = await openPopup(browser, `${origin.url}/?bad`);
      await textIs(popup, 'site-state', /signature/);
      await badgeIs(popup, tab, '!');
      visitor.mock.set({ sites: { [origin.url]: site }, siteStatus: { release: { sharing: 'supernode-only' } }, health: { store: 'no-space' } });
      await page.goto(`${origin.url}/?good`);
      await textIs(popup, 'super-nodes', /own servers only/);
      await textIs(popup, 'problems', /disk is full[^]*Free some disk space/);
      await picture(popup, `popup-${kind}-disk`);
      visitor.mock.set({ siteStatus: {}, health: {} });
      await close();
    });
  });
}

for (const [kind, open] of [['chromium', openChromium], ['firefox', openFirefox]]) {
  for (const [name, config, sign, words] of [['missing', null, '×', /not installed[^]*installer\/install/], ['wrong-version', { api: 9 }, '!', /too old for the Fringe host[^]*Update the extension/]]) {
    test(`${kind}: the host is ${name}`, async () => {
      const visitor = config ? newMockVisitor(scope, `${kind}-x`, config) : newVisitor(scope, `${kind}-y`);
      const browser = await open(scope, visitor, { origins: [origin], host: Boolean(config) });
      const { popup, tab } = await openPopup(browser, `${origin.url}/`);
      await textIs(popup, 'problems', words);
      await badgeIs(popup, tab, sign);
      assert.equal(await popup.evaluate(() => document.getElementById('zones').disabled), true);
      await popup.click('.retry');
      await picture(popup, `popup-${kind}-${name}`);
      await browser.close();
    });
  }
}

/** What is too wide in German sticks out of a narrow window; `picture` looks for that. */
test('pictures: dark, narrow and in German', async () => {
  const visitor = newMockVisitor(scope, 'hans', { sites: { [origin.url]: { ...site, zone: 'share' } }, source: 'peers', siteStatus: { peers: 12, spared: { shared: 3_900_000 } } });
  const browser = await openChromium(scope, visitor, { origins: [origin], extension, args: ['--lang=de'] });
  await waitForHost(browser);
  const { page, popup, close } = await openPopup(browser, `${origin.url}/`, { width: 320 });
  await waitForWorker(page);
  await fetchInPage(page, '/static/big.bin');
  await textIs(popup, 'bytes-peers', /4\s?MB/);
  for (const [scheme, width] of [['light', 320], ['dark', 360]]) {
    await popup.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await popup.setViewport({ width, height: 600 });
    for (const [tab, element, words] of [['site', 'page', /Von anderen Besuchern[^]*3,9\s?MB/], ['cache', 'site-count', /1 Website/], ['limits', 'limits', /Upload-Grenze/]]) {
      await popup.click(`#tab-${tab}`);
      await textIs(popup, element, words);
      await picture(popup, `popup-de-${tab}-${width === 320 ? 'narrow' : scheme}`);
    }
  }
  await close();
  await browser.close();
});
