// Firefox, and pages and another extension that mean harm.
import { after, before } from 'node:test';
import { FIREFOX_ID, FIREFOX_UUID, openFirefox } from './lib/firefox.js';
import { OTHER_EXTENSION, testHostile, writeHostilePages, writeOtherExtension } from './lib/hostile.js';
import { deployMock, newMockVisitor } from './lib/mock.js';
import { startOrigin } from './lib/origin.js';
import { patientExtension } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { Scope } from './lib/scope.js';
import { writeSmallSite } from './lib/small-site.js';

const OTHER_UUID = 'f5196e00-0000-4000-8000-000000000002';

const scope = new Scope();
let all;

before(async () => {
  const good = await startOrigin(scope);
  writeSmallSite(good.root, { files: { 'static/secret.txt': 'only for visitors of good\n' } });
  const evil = await startOrigin(scope, { name: 'other.localhost' });
  const extension = patientExtension(scope);
  const sites = { [good.url]: await deployMock(good, { seq: 1, extension }), [evil.url]: await deployMock(evil, { seq: 1, extension }) };
  await writeHostilePages(evil, good);
  const visitor = newMockVisitor(scope, 'anna', { sites });
  const uuids = JSON.stringify({ [FIREFOX_ID]: FIREFOX_UUID, [OTHER_EXTENSION]: OTHER_UUID });
  const browser = await openFirefox(scope, visitor, { origins: [good, evil], extension, prefs: { 'extensions.webextensions.uuids': uuids } });
  const other = scope.folder('other');
  writeOtherExtension(other);
  await browser.browser.installExtension(other);
  await waitForHost(browser);
  all = { browser, good, evil, visitor, extensionId: FIREFOX_ID, otherPage: `moz-extension://${OTHER_UUID}/page.html` };
});
after(() => scope.close());

testHostile(() => all);
