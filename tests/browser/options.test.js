// The options page in both browsers: the popup's settings, and the log of transfers (filters, following, saving, clearing, none at
// all), with a host that is real, missing or started again; pictures in build/screenshots/.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { openFirefox } from './lib/firefox.js';
import { startHost } from './lib/host.js';
import { newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { openPopup, openUi, picture, textIs, textOf, unnamed, waitForHost, walk } from './lib/popup.js';
import { deploy } from './lib/publish.js';
import { Scope, waitFor } from './lib/scope.js';
import { fetchInPage, waitForWorker, writeSmallSite } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const OPTIONS = 'options/options.html';
const COUNT = 2000;
const HOSTILE = [
  { site: 'https://<img src=x onerror=ran()>.example', path: '/</small><script>window.ran = true</script>' },
  { path: '/\u202Egnp.exe\u0007\u2028"\'=1+1' },
  { kind: 'shared', path: `/${'W'.repeat(2000)}`, peer: '[2001:db8:1111:2222:3333:4444:5555:6666]:65535' },
];
const SITES = Object.fromEntries(Array.from({ length: 3 }, (_, i) => [`https://site-${i}.example`, { seq: 42, version: '2026.4', root: '/', zone: 'fetch', bytes: 70_000_000 - i, files: 12 }]));

const scope = new Scope();
let origin;
let extension;

before(async () => {
  origin = await startOrigin(scope);
  writeSmallSite(origin.root);
  extension = patientExtension(scope);
});
after(() => scope.close());

/** Opens a browser that saves files into `folder` without asking. */
async function openSaving(kind, visitor, folder, options) {
  mkdirSync(folder, { recursive: true });
  if (kind === 'firefox') {
    return openFirefox(scope, visitor, { ...options, prefs: { 'browser.download.folderList': 2, 'browser.download.alwaysOpenPanel': false, 'browser.download.dir': folder } });
  }
  const opened = await openChromium(scope, visitor, options);
  const session = await opened.browser.target().createCDPSession();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
  return opened;
}

const rows = page => page.evaluate(() => [...document.querySelectorAll('#log-lines tr')].map(row => [...row.cells].map(cell => cell.innerText.trim())));
const numbers = page => page.evaluate(() => [...document.querySelectorAll('#log-lines tr')].map(row => Number(row.dataset.n)));
const countIs = (page, count) => waitFor(`${count} lines`, async () => {
  const { length } = await numbers(page);
  if (length !== count) throw new Error(`there are ${length}`);
  return true;
});
const press = async (page, id) => {
  await waitFor(`${id} to be of use`, () => page.evaluate(each => !document.getElementById(each).disabled, id));
  await page.focus(`#${id}`);
  await page.keyboard.press(' ');
};

async function type(page, id, words) {
  await page.evaluate(name => {
    document.getElementById(name).value = '';
    document.getElementById(name).focus();
  }, id);
  await page.keyboard.type(words);
  await page.keyboard.press('Enter');
}

for (const [kind, open] of [['chromium', openChromium], ['firefox', openFirefox]]) {
  describe(kind, () => {
    let visitor;
    let browser;
    let page;
    let saved;
    const asked = name => visitor.mock.asked(name).at(-1);
    const readSaved = ending => waitFor(`a file ${ending}`, () => {
      const name = readdirSync(saved).find(each => each.endsWith(ending));
      const text = name && readFileSync(join(saved, name), 'utf8');
      return text && { name, text };
    });

    before(async () => {
      visitor = newMockVisitor(scope, kind, { sites: SITES, log: { count: COUNT, lines: HOSTILE } });
      saved = join(visitor.home, 'saved');
      browser = await openSaving(kind, visitor, saved, { origins: [origin], extension });
      await waitForHost(browser);
      page = await openUi(browser, OPTIONS, { width: 1000 });
    });
    after(() => browser.close());

    test('the log: newest first, and what others named is text, whatever it says', async () => {
      await countIs(page, 100);
      await textIs(page, 'log-count', /^The newest 100 lines$/);
      const [first, second, third, fourth] = await rows(page);
      assert.match(first[2], /^<img src=x onerror=ran\(\)>\.example\n\/<\/small><script>window\.ran = true<\/script>$/);
      assert.match(second[2], /\/\\u\{202e\}gnp\.exe\\u\{7\}\\u\{2028\}"'=1\+1$/);
      assert.equal(third[1], 'Given to a visitor');
      assert.match(third[4], /^\[2001:db8:1111:2222:3333:4444:5555:6666\]:65535$/);
      assert.deepEqual([fourth[1], fourth[2]], ['From the cache', 'site-2.example\n/static/file-2000.bin']);
      assert.match(fourth[3], /^2\sMB\s+of 3\sMB$/);
      assert.equal(await page.evaluate(() => window.ran), undefined);
      assert.equal(await page.evaluate(() => document.querySelectorAll('#log-lines :is(img, script)').length), 0);
      const shown = await numbers(page);
      assert.deepEqual(shown, [...shown].sort((a, b) => b - a));
    });

    test('filters: by kind, source and site, which says when it is none', async () => {
      for (const [value, words] of [['shared', /Given/], ['peers', /visitors/], ['fetched', /^From/]]) {
        await page.select('#filter-kind', value);
        await waitFor(value, async () => (await rows(page)).length === 100 && (await rows(page)).every(cells => words.test(cells[1])));
      }
      await type(page, 'filter-site', 'site-1.example');
      await waitFor('one site', async () => (await rows(page)).every(cells => cells[2].startsWith('site-1.example')));
      assert.deepEqual([asked('log').site, asked('log').kind], ['https://site-1.example', 'fetched']);
      await type(page, 'filter-site', 'no site!');
      await textIs(page, 'filter-error', /no site/);
      assert.equal(await page.evaluate(() => document.getElementById('filter-site').getAttribute('aria-invalid')), 'true');
      await type(page, 'filter-site', 'https://unknown.example/with/a/path');
      await textIs(page, 'log-empty', /No line fits/);
      assert.equal(await textOf(page, 'filter-error'), null);
      await type(page, 'filter-site', ' ');
      await page.select('#filter-kind', '');
      await countIs(page, 100);
    });

    test('two thousand lines: more on demand, the keyboard goes on where they begin', async () => {
      for (let shown = 200; shown <= COUNT; shown += 100) {
        await press(page, 'more-lines');
        await countIs(page, shown);
        assert.equal(await page.evaluate(() => [...document.getElementById('log-lines').children].indexOf(document.activeElement)), shown - 100);
      }
      await press(page, 'more-lines');
      await textIs(page, 'log-count', /^2,003 lines$/);
      assert.equal(await textOf(page, 'more-lines'), null);
      assert.equal(new Set(await numbers(page)).size, COUNT + HOSTILE.length);
    });

    test('it follows what happens, unless told not to', async () => {
      const lines = [{ path: '/static/new.bin' }, ...HOSTILE];
      visitor.mock.set({ log: { count: COUNT, lines } });
      await waitFor('the new line', async () => /new\.bin/.test((await rows(page))[0][2]));
      await countIs(page, 2004);
      await textIs(page, 'log-news', /^1 new line$/);
      await press(page, 'log-follow');
      visitor.mock.set({ log: { count: COUNT, lines: [{ path: '/static/newer.bin' }, ...lines] } });
      const before = visitor.mock.asked('status').length;
      await waitFor('a refresh of the rest', () => visitor.mock.asked('status').length > before + 2);
      assert.match((await rows(page))[0][2], /new\.bin$/);
      await press(page, 'log-follow');
      await waitFor('the newer line', async () => /newer\.bin$/.test((await rows(page))[0][2]));
      visitor.mock.set({ log: { count: COUNT, lines: HOSTILE } });
      await countIs(page, 2003);
    });

    test('saving: all that the filter lets through, as CSV and as JSON', async () => {
      await press(page, 'export-csv');
      const csv = await readSaved('.csv');
      assert.match(csv.name, /^fringe-log-\d{4}-\d\d-\d\d\.csv$/);
      const lines = csv.text.split('\r\n');
      assert.equal(lines.length, 1 + COUNT + HOSTILE.length + 1);
      assert.equal(lines[0], 'time,kind,site,path,release,bytes,size,peer');
      assert.equal(lines[4], '2027-01-15T08:33:20Z,"cache","https://site-2.example","/static/file-2000.bin",42,2000000,3000000,""');
      assert.match(lines[1], /"https:\/\/<img src=x onerror=ran\(\)>\.example"/);
      assert.match(lines[2], /gnp\.exe \u2028""'=1\+1"/);
      await textIs(page, 'log-said', /^2,003 lines saved/);
      await page.select('#filter-kind', 'shared');
      await waitFor('the filter', async () => (await rows(page)).every(cells => /Given/.test(cells[1])));
      await press(page, 'export-json');
      const json = JSON.parse((await readSaved('.json')).text);
      assert.equal(json.length, COUNT / 5 + 1);
      assert.deepEqual(json[1], { n: 1999, time: 1800001999, kind: 'shared', site: 'https://site-1.example', path: '/static/file-1999.bin', seq: 42,
        bytes: 1_999_000, size: 3_000_000, peer: '203.0.113.249:6881' });
      await page.select('#filter-kind', '');
      await countIs(page, 100);
    });

    test('clearing asks first, of one site or of all', async () => {
      const dialog = () => page.evaluate(() => document.querySelector('dialog')?.innerText ?? '');
      const clear = async key => {
        await press(page, 'clear-log');
        await waitFor('the question', dialog);
        const said = await dialog();
        assert.deepEqual(await unnamed(page), []);
        assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel', 'the harmless button is in front');
        if (key === 'Tab') await page.keyboard.press('Tab');
        await page.keyboard.press(key === 'Tab' ? 'Enter' : key);
        await waitFor('its end', async () => !await dialog());
        return said;
      };
      await page.bringToFront();
      assert.match(await clear('Escape'), /Clear the whole log\?/);
      await clear('Enter');
      assert.equal(visitor.mock.asked('log.clear').length, 0);
      assert.equal(await page.evaluate(() => document.activeElement.id), 'clear-log');
      await type(page, 'filter-site', 'site-1.example');
      await waitFor('one site', async () => (await rows(page)).every(cells => cells[2].startsWith('site-1.example')));
      assert.match(await clear('Tab'), /all lines of site-1\.example\?/);
      await textIs(page, 'log-empty', /No line fits/);
      assert.equal(asked('log.clear').site, 'https://site-1.example');
      await type(page, 'filter-site', ' ');
      await waitFor('the others', async () => (await rows(page)).length === 100 && (await rows(page)).every(cells => !cells[2].startsWith('site-1')));
      assert.match(await clear('Tab'), /Clear the whole log\?/);
      await textIs(page, 'log-empty', /Nothing was fetched or given yet/);
      await textIs(page, 'log-said', /gone/);
      assert.equal(asked('log.clear').site, undefined);
      assert.equal(await page.evaluate(() => document.getElementById('export-csv').disabled), true);
      assert.equal(await textOf(page, 'log-table'), null);
    });

    test('no log is kept where the visitor wants none, and the page says so', async () => {
      await press(page, 'log-none');
      await waitFor('the setting', () => asked('settings')?.no_log === 1);
      await textIs(page, 'log-off', /No log is kept, as you wish/);
      assert.equal(await textOf(page, 'log-empty'), null);
      await press(page, 'log-none');
      await waitFor('the setting', () => asked('settings').no_log === 0);
      await textIs(page, 'log-empty', /Nothing was fetched/);
      assert.equal(await textOf(page, 'log-off'), null);
    });

    test('the popup\'s settings are here, too', async () => {
      await page.click('input[value=fetch]');
      await waitFor('the choice for all', () => asked('settings').default_zone === 'fetch');
      await type(page, 'setting-download_rate', '900');
      await waitFor('the rate', () => asked('settings').download_rate === 900_000);
      await type(page, 'setting-upload_rate', '1');
      await textIs(page, 'limits', /at least 8\skB\/s/);
      await page.click('.pause button');
      await textIs(page, 'host', /Paused/);
      await page.click('.pause button');
      await textIs(page, 'host', /Ready/);
      await page.select('#site-list select', 'off');
      await waitFor('a site\'s zone', () => asked('site.zone')?.site === 'https://site-0.example' && asked('site.zone').zone === 'off');
      await textIs(page, 'site-count', /^3 sites$/);
      await textIs(page, 'site-list', /MB from others · [\d.,]+\s[kM]B to others/);
      await textIs(page, 'totals', /Given to other visitors/);
    });

    test('every control has a name, and the keyboard reaches them in the order of the page', async () => {
      assert.deepEqual(await unnamed(page), []);
      await page.evaluate(() => document.querySelector('nav a').focus());
      const own = await walk(page, 22);
      assert.deepEqual(own, ['A', 'A', 'fetch', 'BUTTON', 'setting-upload_rate', 'setting-download_rate', 'setting-monthly_cap',
        'setting-unmetered_only', 'setting-mains_only', 'setting-local_discovery', 'cache-quota', 'clear-cache',
        ...Object.keys(SITES).flatMap(site => [`zone-${site}`, `more-${site}`]), 'log-follow', 'log-none', 'filter-site', 'filter-kind']);
      assert.deepEqual(await page.evaluate(() => ['log-said', 'log-news', 'host'].map(id => document.getElementById(id).getAttribute('role'))), ['status', 'status', 'status']);
      assert.deepEqual(await page.errors(), []);
    });

    test('the popup leads here', async () => {
      const popup = await openUi(browser, 'popup/popup.html#tab=1', { width: 360 });
      const count = (await browser.browser.pages()).length;
      await popup.evaluate(() => {
        window.close = () => {};
        document.getElementById('options').click();
      });
      assert.match(await popup.evaluate(() => document.getElementById('options').textContent), /All settings and the log/);
      await waitFor('the page', async () => {
        const urls = await Promise.all((await browser.browser.pages()).map(each => each.evaluate(() => location.href).catch(() => '')));
        return urls.filter(url => url === browser.extensionUrl(OPTIONS)).length >= 1 && count;
      });
      await popup.close();
    });
  });

  test(`${kind}: with the real host: lines come by themselves, the daemon starts again, none is kept`, async () => {
    const site = await startOrigin(scope);
    writeSmallSite(site.root);
    await deploy(site, `${site.root}/static`);
    const visitor = newVisitor(scope, `${kind}-real`);
    const host = await startHost(scope, visitor, { caFile: site.caFile, zone: 'share' });
    const browser = await open(scope, visitor, { origins: [site] });
    await waitForHost(browser);
    const page = await openUi(browser, OPTIONS, { width: 800 });
    await textIs(page, 'log-empty', /Nothing was fetched or given yet/);
    const { page: shown } = await openPopup(browser, `${site.url}/`);
    await waitForWorker(shown);
    await fetchInPage(shown, '/static/big.bin');
    await page.bringToFront();
    await waitFor('its line', async () => (await rows(page)).some(cells => cells[1] === 'From the site' && cells[2].endsWith('/static/big.bin')));
    const before = await numbers(page);
    const { pid } = await host.status();
    await host.kill();
    await waitFor('another daemon', async () => (await host.status()).pid !== pid);
    await waitForHost(browser);
    await page.bringToFront(); // it asks for nothing while nobody looks
    await waitFor('another line', async () => {
      await fetchInPage(shown, '/static/small.txt', { cache: 'no-store' });
      const [newest] = await rows(page);
      if (!newest[2].endsWith('/static/small.txt')) throw new Error(`it is ${newest.join()}; the page says ${await textOf(page, 'log-error')}`);
      return true;
    });
    assert.deepEqual((await numbers(page)).slice(-before.length), before, 'what was read stays');
    assert.equal(await textOf(page, 'log-error'), null);
    assert.deepEqual(await page.errors(), []);
    await press(page, 'log-none');
    await textIs(page, 'log-off', /No log is kept, as you wish/);
    assert.equal((await host.status()).limits.no_log, 1);
    await textIs(page, 'site-list', /game\.localhost[^]*4\sMB · 3 files · today/);
    await page.click('#clear-cache');
    await page.click('dialog .danger');
    await textIs(page, 'cache-said', /3 files removed|gone/);
    await waitFor('an empty cache', async () => (await host.status()).cache.files === 0);
    assert.deepEqual(await page.errors(), []);
    await browser.close();
  });

  test(`${kind}: the host is missing`, async () => {
    const browser = await open(scope, newVisitor(scope, `${kind}-none`), { origins: [origin], host: false });
    const page = await openUi(browser, OPTIONS, { width: 800 });
    await textIs(page, 'problems', /not installed[^]*installer\/install/);
    await textIs(page, 'log-error', /no host to ask/);
    assert.equal(await textOf(page, 'log-empty'), null, 'nobody knows whether it is empty');
    assert.deepEqual(await page.evaluate(() => ['log-none', 'export-csv', 'clear-log'].map(id => document.getElementById(id).disabled)), [true, true, true]);
    assert.deepEqual(await unnamed(page), []);
    assert.deepEqual(await page.errors(), []);
    await browser.close();
  });
}

test('pictures: light, dark, narrow, in German', async () => {
  for (const language of ['en', 'de']) {
    const visitor = newMockVisitor(scope, `look-${language}`, { sites: SITES, log: { count: 8, lines: language === 'de' ? HOSTILE : [] } });
    const browser = await openChromium(scope, visitor, { origins: [origin], extension, args: [`--lang=${language}`] });
    await waitForHost(browser);
    const page = await openUi(browser, OPTIONS, { width: 1000 });
    await countIs(page, language === 'de' ? 11 : 8);
    await textIs(page, 'site-count', /^3 /);
    for (const [scheme, width] of language === 'en' ? [['light', 1000], ['dark', 1000], ['light', 320]] : [['dark', 320], ['light', 700]]) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.setViewport({ width, height: 700 });
      await picture(page, `options-${language}-${scheme}-${width}`);
    }
    await page.evaluate(() => document.getElementById('clear-log').click());
    await waitFor('the question', () => page.evaluate(() => Boolean(document.querySelector('dialog[open]'))));
    await picture(page, `options-${language}-clear`);
    await browser.close();
  }
});
