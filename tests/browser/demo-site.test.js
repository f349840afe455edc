// The demo site works in both browsers without Fringe: so when a check fails with Fringe, Fringe is to blame.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildSite } from '../site/build.mjs';
import { openChromium } from './lib/chromium.js';
import { demoResults } from './lib/demo.js';
import { openFirefox } from './lib/firefox.js';
import { startOrigin } from './lib/origin.js';
import { Scope } from './lib/scope.js';
import { newVisitor } from './lib/visitor.js';

const scope = new Scope();
let origin;

before(async () => {
  origin = await startOrigin(scope);
  buildSite(origin.root);
});
after(() => scope.close());

for (const [name, open] of [['Chromium', openChromium], ['Firefox', openFirefox]]) {
  test(`${name}: every kind of file proves itself`, async () => {
    const browser = await open(scope, newVisitor(scope, name.toLowerCase()), { origins: [origin], extension: null, host: false });
    const page = await browser.newPage();
    await page.goto(`${origin.url}/`);
    const results = await demoResults(page);
    assert.deepEqual(results, Object.fromEntries(Object.keys(results).map(kind => [kind, 'ok'])));
    await browser.close();
  });
}
