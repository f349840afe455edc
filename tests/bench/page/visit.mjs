// One visitor of the page bench, inside the visitor's network namespace: opens a browser, loads pages one after the other, says on
// standard output how long each took as one line of JSON.
//
//   node visit.mjs '{"browser": "firefox", "extension": true, "host": true, "caFile": .., "urls": [..], ...}'
//
//   urls        what is opened, one after the other, in one new browser; the answer's `ms` has the time for each
//   address     of the site, which a browser is to see as a public one ("10.77.0.1:443")
//   listen      where the host takes peers; `peers`: whom it knows
//   store       a folder with the host's data as an earlier visit has left it; it is copied
//   keep        where to leave the host's data
import { cpSync } from 'node:fs';
import { openChromium } from '../../browser/lib/chromium.js';
import { openFirefox } from '../../browser/lib/firefox.js';
import { startHost } from '../../browser/lib/host.js';
import { waitForHost } from '../../browser/lib/popup.js';
import { Scope, waitFor } from '../../browser/lib/scope.js';
import { newVisitor } from '../../browser/lib/visitor.js';

const OPEN = { chromium: openChromium, firefox: openFirefox };

/** Milliseconds from the visitor's wish to the page's load event, whatever the browser was sent through in between. */
async function load(page, url) {
  const from = Date.now();
  page.goto(url).catch(() => {}); // a page that leaves again, as the enter page does, ends this wait and not ours
  return waitFor(url, () => page.evaluate((wanted, start) => {
    const [entry] = performance.getEntriesByType('navigation');
    const there = location.href === wanted && entry?.loadEventEnd > 0 && performance.timeOrigin > start - 1000;
    return there && performance.timeOrigin + entry.loadEventEnd - start;
  }, url, from).catch(() => false));
}

async function visit(scope, how) {
  const visitor = newVisitor(scope, 'v');
  let host;
  if (how.host) {
    if (how.store) cpSync(how.store, visitor.data, { recursive: true });
    host = await startHost(scope, visitor, { caFile: how.caFile, listen: how.listen, peers: how.peers, args: ['--no-port-map'] });
  }
  const browser = await OPEN[how.browser](scope, visitor, {
    origins: how.addresses.map(address => ({ caFile: how.caFile, address })), host: how.host, ...(how.extension ? {} : { extension: null }),
  });
  if (how.extension) await waitForHost(browser, how.host ? 'ready' : 'missing');
  const ms = [];
  for (const url of how.urls) {
    const page = await browser.newPage();
    ms.push(await load(page, url));
    await page.close();
  }
  const total = host && (await host.status()).total;
  await browser.close();
  if (host) await host.stop();
  if (how.keep) cpSync(visitor.data, how.keep, { recursive: true });
  return { ms, total };
}

const scope = new Scope();
try {
  console.log(JSON.stringify(await visit(scope, JSON.parse(process.argv[2]))));
} finally {
  await scope.close();
}
