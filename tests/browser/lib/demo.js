// The demo site (tests/site) as a publisher runs it and as visitors see it. Tests and installer/quickstart share this.
import { join } from 'node:path';
import { buildSite } from '../../site/build.mjs';
import { startHost } from './host.js';
import { allLogged, startOrigin } from './origin.js';
import { waitForHost } from './popup.js';
import { deploy } from './publish.js';
import { newVisitor } from './visitor.js';

export const SHARED = '/static/';
// The page itself gives up a check that takes too long; this is for a page that does not even come to that.
export const DEMO_MS = 180000;

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
export async function visitDemo(scope, site, who, open, options = {}) {
  site.origin.mark();
  const browser = await open(scope, who.visitor, { origins: [site.origin], ...options });
  await waitForHost(browser);
  const page = await browser.newPage();
  await page.goto(`${site.origin.url}/`);
  const results = await demoResults(page);
  await browser.close();
  const failures = Object.entries(results).filter(([, result]) => result !== 'ok');
  const { total } = await who.host.status();
  return { results, failures, total, sent: site.origin.bytes(SHARED) };
}

/** Waits until the page has checked itself; answers {kind: 'ok' or what went wrong}. */
export async function demoResults(page) {
  await page.waitForFunction(() => window.demo?.done, { timeout: DEMO_MS, polling: 200 });
  await allLogged();
  return page.evaluate(() => window.demo.results);
}
