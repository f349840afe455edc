// The demo site (tests/site) as a publisher runs it and as visitors see it. Tests and installer/quickstart share this.
import { join } from 'node:path';
import { buildSite } from '../../site/build.mjs';
import { startHost } from './host.js';
import { startOrigin } from './origin.js';
import { deploy } from './publish.js';
import { waitFor } from './scope.js';
import { newVisitor } from './visitor.js';

export const SHARED = '/static/';

/** Builds, publishes and starts the site; `site` has {origin, release, files, bytes} (of what is shared). */
export async function startDemoSite(scope) {
  const origin = await startOrigin(scope);
  const { files, bytes } = buildSite(origin.root);
  const release = await deploy(origin, join(origin.root, SHARED), { version: 'demo' });
  return { origin, release, files, bytes };
}

/** A visitor with a host that shares, online until the scope closes or the host is stopped. */
export async function newSharer(scope, site, name, { peers = [], zone = 'share' } = {}) {
  const visitor = newVisitor(scope, name);
  const host = await startHost(scope, visitor, { caFile: site.origin.caFile, zone, peers });
  return { visitor, host };
}

/**
 * Opens the site in a browser of `who` and waits until the page has checked itself. Answers {results, failures (kinds that
 * did not work, with the reason), total (the host's bytes by source since it began), sent (the site's bytes in this visit)}.
 */
export async function visitDemo(scope, site, who, open) {
  site.origin.mark();
  const browser = await open(scope, who.visitor, { origins: [site.origin] });
  await warmUp(browser);
  const page = await browser.newPage();
  await page.goto(`${site.origin.url}/`);
  const results = await demoResults(page);
  await browser.close();
  const failures = Object.entries(results).filter(([, result]) => result !== 'ok');
  const { total } = await who.host.status();
  return { results, failures, total, sent: site.origin.bytes(SHARED) };
}

/**
 * Waits until the extension has met the host, as in a browser that has been open for a moment. A page opened before that comes
 * from the site.
 */
export async function warmUp(browser) {
  const page = await browser.openExtensionPage('popup/popup.html');
  await waitFor(`the host of ${browser.kind}`, () => page.evaluate(async () => {
    const { host } = await chrome.runtime.sendMessage({ type: 'popup.state', tab: 1 });
    return host.state === 'ready' && (navigator.userAgent.includes('Firefox') || (await chrome.declarativeNetRequest.getDynamicRules()).length > 0);
  }));
  await page.close();
}

/** Waits until the page has checked itself; answers {kind: 'ok' or what went wrong}. */
export async function demoResults(page, timeout = 90000) {
  await page.waitForFunction(() => window.demo?.done, { timeout, polling: 200 });
  return page.evaluate(() => window.demo.results);
}
