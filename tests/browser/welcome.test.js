// The first-run page in both browsers: it opens once, what is chosen there holds for all sites, with the host away too.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { openFirefox } from './lib/firefox.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { openPopup, picture, textIs, unnamed, waitForHost, walk } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { WELCOME_PAGE, welcomePage } from './lib/welcome.js';

const scope = new Scope();
let origin;
let extension;
let site;

before(async () => {
  origin = await startOrigin(scope);
  writeSmallSite(origin.root);
  extension = patientExtension(scope);
  site = await deployMock(origin, { seq: 7, version: '1.0', extension });
});
after(() => scope.close());

/** How many first-run pages are open. */
async function welcomePages(browser) {
  const urls = await Promise.all((await browser.browser.pages()).map(page => page.evaluate(() => location.href).catch(() => '')));
  return urls.filter(url => url === browser.extensionUrl(WELCOME_PAGE)).length;
}

async function choose(page, zone) {
  await page.bringToFront();
  await page.click(`input[value=${zone}]`);
  await page.click('button[type=submit]');
  await textIs(page, 'saved', /^Saved/);
}

for (const [kind, open] of [['chromium', openChromium], ['firefox', openFirefox]]) {
  describe(kind, () => {
    let visitor;
    let browser;
    let page;

    before(async () => {
      visitor = newMockVisitor(scope, kind, { defaultZone: 'off', sites: { [origin.url]: site } });
      browser = await open(scope, visitor, { origins: [origin], extension, welcome: true });
      page = await welcomePage(browser);
      await waitFor('it to be drawn', () => page.evaluate(() => document.body.dataset.drawn === 'true'));
    });
    after(() => browser.close());

    test('it opens by itself, says it in four sentences, and asks for each site unless told otherwise', async () => {
      await textIs(page, 'host', /host is running/);
      assert.equal(await page.evaluate(() => document.querySelectorAll('#sentences li').length), 4);
      assert.equal(await page.evaluate(() => document.querySelector('input:checked').value), 'off');
      assert.equal(visitor.mock.asked('settings').length, 0, 'nothing is chosen yet');
      assert.deepEqual(await unnamed(page), []);
      await page.bringToFront();
      assert.deepEqual(await walk(page, 2), ['off', 'BUTTON']);
      await page.setViewport({ width: 900, height: 700 });
      await picture(page, `welcome-${kind}`);
    });

    test('before the choice nothing comes from others; after it all sites follow, open pages too', async () => {
      const { page: shown, popup, close } = await openPopup(browser, `${origin.url}/`);
      await textIs(popup, 'question', /What do you want/);
      origin.mark();
      await fetchInPage(shown, '/static/big.bin', { cache: 'no-store' });
      assert.equal(origin.bytes('/static/'), 4_000_000);
      await choose(page, 'fetch');
      assert.deepEqual(visitor.mock.asked('settings').map(asked => asked.default_zone), ['fetch']);
      await textIs(popup, 'zone-help', /choice for all sites/);
      await waitForWorker(shown);
      await waitFor('files through the host', async () => {
        origin.mark();
        await fetchInPage(shown, '/static/big.bin', { cache: 'no-store' });
        return origin.bytes('/static/') < 1_000_000;
      });
      await choose(page, 'off');
      await textIs(popup, 'question', /What do you want/);
      await waitFor('no worker', () => shown.evaluate(async () => !await navigator.serviceWorker.getRegistration('/')));
      await close();
    });

    test('it opens once: not when the browser starts again, or the extension is updated', async () => {
      await page.close();
      if (kind === 'firefox') {
        await browser.browser.installExtension(extension);
      } else {
        await browser.close();
        browser = await open(scope, visitor, { origins: [origin], extension, welcome: true });
      }
      await waitForHost(browser);
      const { popup, close } = await openPopup(browser, `${origin.url}/`);
      await textIs(popup, 'question', /What do you want/);
      assert.equal(await welcomePages(browser), 0);
      await close();
    });
  });

  test(`${kind}: a choice made before there is a host holds as soon as there is one`, async () => {
    const visitor = newMockVisitor(scope, `${kind}-late`, { api: 9, defaultZone: 'off', sites: { [origin.url]: site } });
    const browser = await open(scope, visitor, { origins: [origin], extension, welcome: true });
    const page = await welcomePage(browser);
    await textIs(page, 'problems', /too old for the Fringe host/);
    await choose(page, 'share');
    await textIs(page, 'saved', /as soon as the host is there/);
    assert.equal(visitor.mock.asked('settings').length, 0);
    visitor.mock.set({ api: 1 });
    await page.click('.retry');
    await waitFor('the choice at the host', () => visitor.mock.asked('settings').at(-1)?.default_zone === 'share');
    await textIs(page, 'host', /host is running/);
    await browser.close();
  });
}

for (const [scheme, width] of [['dark', 900], ['light', 320]]) {
  test(`pictures: first run, ${scheme}, ${width} pixels wide`, async () => {
    const visitor = newMockVisitor(scope, `look-${scheme}`, { defaultZone: 'off', sites: {} });
    const browser = await openChromium(scope, visitor, { origins: [origin], extension });
    const page = await browser.newPage();
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.setViewport({ width, height: 700 });
    await page.goto(browser.extensionUrl(WELCOME_PAGE));
    await textIs(page, 'host', /host is running/);
    await picture(page, `welcome-${width === 320 ? 'narrow' : scheme}`);
    await browser.close();
  });
}
