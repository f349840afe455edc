// The main job, end to end: the first visitor gets the demo site from the site itself, the second from the first.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openChromium } from './lib/chromium.js';
import { newSharer, startDemoSite, visitDemo } from './lib/demo.js';
import { openFirefox } from './lib/firefox.js';
import { patientExtension, patientWorker } from './lib/patient.js';
import { Scope } from './lib/scope.js';

const scope = new Scope();
const extension = patientExtension(scope);
after(() => scope.close());

for (const [first, second] of [[openChromium, openFirefox], [openFirefox, openChromium]]) {
  const names = [first, second].map(open => open.name.replace('open', ''));

  test(`${names[0]} first, ${names[1]} second`, async () => {
    const site = await startDemoSite(scope);
    patientWorker(site.origin.root);
    const anna = await newSharer(scope, site, 'anna');
    const one = await visitDemo(scope, site, anna, first, { extension });
    assert.deepEqual(one.failures, []);

    const bert = await newSharer(scope, site, 'bert', { peers: [anna.host] });
    const two = await visitDemo(scope, site, bert, second, { extension });
    assert.deepEqual(two.failures, []);
    // On a busy machine a page does not wait for a visitor who is late: the exact share is a figure, `tests/bench/run peers`.
    assert.ok(two.total.peers >= 0.75 * site.bytes, `from the first visitor: ${two.total.peers} of ${site.bytes} bytes`);
    assert.ok(two.sent <= 0.25 * site.bytes, `the site's own log: ${two.sent} of ${site.bytes} bytes`);

    const again = await visitDemo(scope, site, bert, second, { extension });
    assert.deepEqual(again.failures, []);
    assert.ok(again.sent <= 0.05 * site.bytes, `second visit, the site's own log: ${again.sent} bytes`);
    await anna.host.stop();
    await bert.host.stop();
  });
}
