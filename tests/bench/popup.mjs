// For popup.py: opens the popup and an empty page of the extension in turn, in both browsers, with the real host; prints
// {browser: [median ms of the popup, of the empty page]}.
import { connect } from 'node:net';
import { openChromium } from '../browser/lib/chromium.js';
import { openFirefox } from '../browser/lib/firefox.js';
import { startHost } from '../browser/lib/host.js';
import { startOrigin } from '../browser/lib/origin.js';
import { openPopup, textIs, waitForHost } from '../browser/lib/popup.js';
import { deploy } from '../browser/lib/publish.js';
import { Scope, waitFor } from '../browser/lib/scope.js';
import { waitForWorker, writeSmallSite } from '../browser/lib/small-site.js';
import { newVisitor } from '../browser/lib/visitor.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15);
const SITES = 1000;
const EMPTY = 'chromium/bridge.html';

/** Makes the host know many sites, over its socket. */
function addSites(socketPath) {
  const socket = connect(socketPath);
  for (let i = 1; i <= SITES; i++) {
    const text = Buffer.from(JSON.stringify({ id: i, type: 'site.zone', site: `https://site-${i}.example`, zone: i % 2 ? 'fetch' : 'share' }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    socket.write(Buffer.concat([length, text]));
  }
  socket.resume();
  return socket;
}

const median = values => values.sort((a, b) => a - b)[values.length >> 1];

/** Milliseconds from the beginning of the navigation until it is drawn (the empty page: loaded). */
async function measure(browser, path) {
  const page = await browser.openExtensionPage(path);
  const ms = await waitFor(path, () => page.evaluate(empty => {
    if (empty) return performance.getEntriesByType('navigation')[0]?.loadEventEnd;
    return performance.getEntriesByName('drawn')[0]?.startTime;
  }, path === EMPTY));
  await page.close();
  return ms;
}

const scope = new Scope();
const times = {};
try {
  const origin = await startOrigin(scope);
  writeSmallSite(origin.root);
  await deploy(origin, `${origin.root}/static`);
  for (const [kind, open] of [['chromium', openChromium], ['firefox', openFirefox]]) {
    const visitor = newVisitor(scope, kind);
    const host = await startHost(scope, visitor, { caFile: origin.caFile, zone: 'share' });
    const socket = addSites(visitor.socket);
    await waitFor('the sites', async () => (await host.status()).sites >= SITES);
    socket.destroy();
    const browser = await open(scope, visitor, { origins: [origin] });
    await waitForHost(browser);
    const { page, popup, tab } = await openPopup(browser, `${origin.url}/`);
    await waitForWorker(page);
    await textIs(popup, 'site-state', /number 1/);
    await popup.close();
    const results = { popup: [], empty: [] };
    for (let i = 0; i < ROUNDS; i++) {
      results.popup.push(await measure(browser, `popup/popup.html#tab=${tab}`));
      results.empty.push(await measure(browser, EMPTY));
    }
    console.error(`${kind}: popup ${results.popup.map(Math.round)}; empty page ${results.empty.map(Math.round)}`);
    times[kind] = [median(results.popup), median(results.empty)];
    await browser.close();
  }
} finally {
  await scope.close();
}
console.log(JSON.stringify(times));
