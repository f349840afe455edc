// A browser opens the site at once, before its extension has met the host: the page comes from the site, or is taken over while
// it loads, and works either way. Which of the two it is depends on the moment, so a few browsers have to try.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { demoResults, newSharer, startDemoSite } from './lib/demo.js';
import { openFirefox } from './lib/firefox.js';
import { Scope } from './lib/scope.js';

const scope = new Scope();
after(() => scope.close());

for (const [name, open, attempts] of [['Chromium', openChromium, 4], ['Firefox', openFirefox, 2]]) {
  test(`${name}: a page that is opened at once works`, async () => {
    const site = await startDemoSite(scope);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const { visitor, host } = await newSharer(scope, site, `cold${attempt}`);
      const browser = await open(scope, visitor, { origins: [site.origin] });
      const page = await browser.newPage();
      await page.goto(`${site.origin.url}/`);
      const failures = Object.entries(await demoResults(page)).filter(([, result]) => result !== 'ok');
      assert.deepEqual(failures, [], `attempt ${attempt}`);
      await browser.close();
      await host.stop();
    }
  });
}
