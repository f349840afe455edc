// "Check installation" in both browsers: from a problem in the popup to the report, by keyboard too; with the real host, with made-up
// findings, and with no host at all. Pictures in build/screenshots/.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { openFirefox } from './lib/firefox.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { openPopup, openUi, picture, textIs, textOf, unnamed, waitForHost, walk } from './lib/popup.js';
import { Scope, waitFor } from './lib/scope.js';
import { writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const PAGE = 'doctor/doctor.html';
const REPORT = {
  status: 'fail',
  lines: [
    { area: 'programs', status: 'ok', seen: 'fringe and fringe-native 0.1.0 in /home/hans/.local/bin', next: '' },
    { area: 'Firefox', status: 'warn', seen: '/snap/bin/firefox: a Snap, locked up in a sandbox', next: 'apt install firefox-esr' },
    { area: 'disk', status: 'fail', seen: 'only 3 kB free <b>& no more</b>', next: 'free some disk space, or `fringe cache clear all`' },
  ],
  text: 'ok    programs\nwarn  Firefox\nfail  disk\n',
};

const scope = new Scope();
let origin;
let site;

before(async () => {
  origin = await startOrigin(scope);
  writeSmallSite(origin.root);
  site = await deployMock(origin);
});
after(() => scope.close());

const isDrawn = page => waitFor('the report', () => page.evaluate(() => document.body.dataset.drawn === 'true' && !document.getElementById('again').disabled));

/** Chooses "Check installation" by keyboard and gives the page that opens. */
async function checkFrom(browser, popup) {
  await waitFor('the button', () => popup.evaluate(() => Boolean(document.querySelector('#problems .check'))));
  await popup.bringToFront();
  await popup.focus('#problems .check');
  await popup.keyboard.press('Enter');
  const page = await waitFor('the page', async () => {
    for (const each of await browser.browser.pages()) if (await each.evaluate(() => location.href).catch(() => '') === browser.extensionUrl(PAGE)) return each;
    return null;
  });
  await page.setViewport({ width: 720, height: 600 });
  await isDrawn(page);
  return page;
}

for (const [kind, open] of [['chromium', openChromium], ['firefox', openFirefox]]) {
  describe(kind, () => {
    test('a problem leads to the report; it is read, copied and made again by keyboard', async () => {
      const visitor = newMockVisitor(scope, `${kind}-mock`, { sites: { [origin.url]: site }, health: { store: 'no-space' }, doctor: REPORT });
      const browser = await open(scope, visitor, { origins: [origin] });
      await waitForHost(browser);
      const { popup } = await openPopup(browser, `${origin.url}/`);
      await textIs(popup, 'problems', /disk is full[^]*Check installation/);
      assert.deepEqual(await unnamed(popup), []);
      const page = await checkFrom(browser, popup);
      await textIs(page, 'summary', /Something is wrong/);
      await textIs(page, 'lines', /well[^]*programs[^]*look[^]*Firefox[^]*wrong[^]*disk[^]*<b>& no more<\/b>[^]*What to do:\s+free some disk space/);
      assert.equal(await page.evaluate(() => document.querySelectorAll('#lines b').length), 0, 'text, not markup');
      assert.deepEqual(await unnamed(page), []);
      await page.bringToFront();
      await page.evaluate(() => document.activeElement.blur());
      assert.deepEqual(await walk(page, 3), ['copy', 'again', 'SUMMARY']);
      await page.focus('#copy');
      await page.keyboard.press('Enter');
      await textIs(page, 'copied', /Copied|Selected/);
      await picture(page, `doctor-${kind}`);
      visitor.mock.set({ doctor: { status: 'ok', lines: REPORT.lines.slice(0, 1), text: 'x' } });
      await page.focus('#again');
      await page.keyboard.press('Enter');
      await textIs(page, 'summary', /All is well/);
      visitor.mock.set({ doctor: { ok: false, error: 'unknown-type', text: 'no request is called doctor' } });
      await page.click('#again');
      await textIs(page, 'problems', /too old for this extension/);
      assert.equal(await textOf(page, 'report'), null);
      await browser.close();
    });

    test('the real host examines itself', async () => {
      const browser = await open(scope, newVisitor(scope, `${kind}-real`), { origins: [origin] });
      await waitForHost(browser);
      const page = await openUi(browser, PAGE, { width: 720 });
      await isDrawn(page);
      await textIs(page, 'lines', /host\s+version [^]* answers/);
      await textIs(page, 'lines', /gateway\s+http:\/\/127\.0\.0\.1:\d+ answers/);
      assert.deepEqual(await page.errors(), []);
      await picture(page, `doctor-${kind}-real`);
      await browser.close();
    });

    test('no host: what the check cannot say, and the command', async () => {
      const browser = await open(scope, newVisitor(scope, `${kind}-none`), { origins: [origin], host: false });
      const { popup } = await openPopup(browser, `${origin.url}/`);
      const page = await checkFrom(browser, popup);
      await textIs(page, 'summary', /cannot be asked/);
      await textIs(page, 'problems', /not installed/);
      await textIs(page, 'by-hand', /in a terminal[^]*installer\/install\s+fringe doctor/);
      assert.equal(await page.evaluate(() => Boolean(document.querySelector('.check'))), false);
      await picture(page, `doctor-${kind}-none`);
      await browser.close();
    });
  });
}

test('a picture: dark, narrow and in German', async () => {
  const visitor = newMockVisitor(scope, 'hans', { health: { store: 'no-space' }, doctor: REPORT });
  const browser = await openChromium(scope, visitor, { origins: [origin], args: ['--lang=de'] });
  await waitForHost(browser);
  const page = await openUi(browser, PAGE, { width: 320 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  await isDrawn(page);
  await textIs(page, 'summary', /Etwas stimmt nicht/);
  await picture(page, 'doctor-de-dark-narrow');
  const { popup } = await openPopup(browser, `${origin.url}/`, { width: 320 });
  await textIs(popup, 'problems', /Installation prüfen/);
  await picture(popup, 'popup-de-check');
  await browser.close();
});
