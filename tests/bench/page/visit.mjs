// One visitor of the page bench, inside the visitor's network namespace: opens a browser, loads pages one after the other, says on
// standard output how long each took as one line of JSON.
//
//   node visit.mjs '{"browser": "firefox", "extension": true, "host": true, "caFile": .., "urls": [..], ...}'
//
//   urls        what is opened, one after the other, in one new browser; the answer's `ms` has the time for each
//   address     of the site, which a browser is to see as a public one ("10.77.0.1:443")
//   listen      where the host takes peers; `peers`: whom it knows
//   store       a folder with the host's data as an earlier visit has left it; it is copied
//   keep        where to leave the host's data, when the page has said that it has all its files
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openChromium } from '../../browser/lib/chromium.js';
import { openFirefox } from '../../browser/lib/firefox.js';
import { startHost } from '../../browser/lib/host.js';
import { waitForHost } from '../../browser/lib/popup.js';
import { LOADED_MS, Scope, waitFor } from '../../browser/lib/scope.js';
import { newVisitor } from '../../browser/lib/visitor.js';

// Each look costs the browser a little, and the time that counts is the browser's own.
const LOOK_MS = 100;
/** Idle is who takes less than a tenth of a processor for so long. */
const REST_MS = 250;
const OPEN = { chromium: openChromium, firefox: openFirefox };

/** Milliseconds from the visitor's wish to the page's load event, whatever the browser was sent through in between. */
async function load(page, url) {
  const from = Date.now();
  page.goto(url).catch(() => {}); // a page that leaves again, as the enter page does, ends this wait and not ours
  while (Date.now() < from + LOADED_MS) {
    await sleep(LOOK_MS);
    const ms = await page.evaluate(loadedAfter, url, from).catch(() => null);
    if (ms) return ms;
  }
  throw new Error(`${url} was not loaded, the page is ${page.url()}`);
}

/** In the page: how long after `from` it had loaded; null while it has not, or while it is another page. */
function loadedAfter(url, from) {
  const [entry] = performance.getEntriesByType('navigation');
  const there = location.href === url && entry?.loadEventEnd > 0 && performance.timeOrigin > from - 1000;
  return there ? performance.timeOrigin + entry.loadEventEnd - from : null;
}

/** Processor time of a process and all that it has started, in ms. */
function usedMs(root) {
  const all = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      return [{ pid: Number(pid), parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * 10 }];
    } catch {
      return []; // it has just ended
    }
  });
  const below = pid => all.filter(({ parent }) => parent === pid).reduce((sum, child) => sum + child.ms + below(child.pid), 0);
  return below(root) + (all.find(({ pid }) => pid === root)?.ms ?? 0);
}

/** A browser that has just started has much to do for itself; a visitor's has been open for long. */
async function rested(pid) {
  for (let before = usedMs(pid), looks = 0; looks < 40; looks++) {
    await sleep(REST_MS);
    const now = usedMs(pid);
    if (now - before < REST_MS / 10) return;
    before = now;
  }
}

async function visit(scope, how) {
  const visitor = newVisitor(scope, 'v');
  let host;
  if (how.host) {
    if (how.store) cpSync(how.store, visitor.data, { recursive: true });
    host = await startHost(scope, visitor, { caFile: how.caFile, listen: how.listen, peers: how.peers, args: ['--no-port-map'] });
  }
  const browser = await OPEN[how.browser](scope, visitor, {
    origins: how.addresses.map(address => ({ caFile: how.caFile, address })), host: how.host, networkEnabled: false,
    ...(how.extension ? {} : { extension: null }),
  });
  if (how.extension) await waitForHost(browser, how.host ? 'ready' : 'missing');
  await rested(browser.browser.process().pid);
  const ms = [];
  for (const url of how.urls) {
    const page = await browser.newPage();
    ms.push(await load(page, url));
    if (how.keep) await waitFor('the last file', () => page.evaluate(() => window.demo.done));
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
