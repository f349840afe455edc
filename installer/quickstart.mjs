// The demonstration behind installer/quickstart. Site, hosts and browsers are the test harness's own.
import { join } from 'node:path';
import { openChromium } from '../tests/browser/lib/chromium.js';
import { demoResults } from '../tests/browser/lib/demo.js';
import { openFirefox } from '../tests/browser/lib/firefox.js';
import { startHost } from '../tests/browser/lib/host.js';
import { startOrigin } from '../tests/browser/lib/origin.js';
import { deploy } from '../tests/browser/lib/publish.js';
import { Scope } from '../tests/browser/lib/scope.js';
import { newVisitor } from '../tests/browser/lib/visitor.js';
import { buildSite } from '../tests/site/build.mjs';

const SHARED = '/static/';
// The second visitor counts as fed by the first when at least this share of its bytes came from there.
const FED_SHARE = 0.9;

const bold = process.stdout.isTTY && !process.env.NO_COLOR ? text => `\x1b[1m${text}\x1b[0m` : text => text;
const step = text => console.log(bold(`==> ${text}`));
const note = text => console.log(`        ${text}`);
const megabytes = bytes => `${(bytes / 1e6).toFixed(2)} MB`;

const scope = new Scope();
try {
  process.exitCode = (await demonstrate()) ? 0 : 1;
} catch (error) {
  console.error(`  fail  ${error.stack}`);
  process.exitCode = 1;
} finally {
  await scope.close().catch(error => {
    console.error(`  fail  ${error.message}`);
    process.exitCode = 1;
  });
}

async function demonstrate() {
  step('Starting the demo site');
  const origin = await startOrigin(scope);
  const { files, bytes } = buildSite(origin.root);
  note(`${origin.url}: nginx, TLS, HTTP/2; ${files} files, ${megabytes(bytes)} below ${SHARED}`);

  step('Publishing: fringe keygen, fringe publish, one Link header');
  const release = await deploy(origin, join(origin.root, SHARED), { version: 'quickstart' });
  note(`release ${release.seq}, ${release.bundles[0].files} files signed`);

  const first = await visit(origin, { name: 'anna', browserName: 'Chromium', open: openChromium, peers: [] });
  const second = await visit(origin, { name: 'bert', browserName: 'Firefox', open: openFirefox, peers: [first.host] });
  return report(bytes, [first, second]);
}

/** One visitor from host to checked page; the host stays online for those who come after. */
async function visit(origin, { name, browserName, open, peers }) {
  step(`${browserName} visits${peers.length ? ', with the first visitor as a peer' : ''}`);
  const visitor = newVisitor(scope, name);
  const host = await startHost(scope, visitor, { caFile: origin.caFile, zone: 'share', peers });
  note(`host process ${host.pid} on ${host.address}`);
  origin.mark();
  const browser = await open(scope, visitor, { origins: [origin] });
  const page = await browser.newPage();
  await page.goto(`${origin.url}/`);
  const results = await demoResults(page);
  const failures = Object.entries(results).filter(([, result]) => result !== 'ok');
  note(`the page checked ${Object.keys(results).length} kinds of files, ${failures.length} failed`);
  for (const [kind, result] of failures) note(`  ${kind}: ${result}`);
  await browser.close();
  const { total } = await host.status();
  return { host, browserName, total, verified: failures.length === 0, sent: origin.bytes(SHARED) };
}

function report(bytes, visitors) {
  step('Where the bytes came from');
  const rows = visitors.map(({ browserName, total, verified, sent }, index) => [
    `${index + 1} ${browserName}`, megabytes(total.origin), megabytes(total.peers), megabytes(total.cache), megabytes(sent), verified ? 'yes' : 'NO',
  ]);
  printTable([['visitor', 'from origin', 'from peers', 'from cache', 'sent by the site', 'verified'], ...rows]);
  note(`The shared folder has ${megabytes(bytes)}. "sent by the site" is what its access log says for ${SHARED}.`);

  const [, second] = visitors;
  const share = second.total.peers / (second.total.peers + second.total.origin || 1);
  const fed = share >= FED_SHARE;
  const verified = visitors.every(visitor => visitor.verified);
  console.log(bold(`${fed ? 'The second visitor was fed by the first' : 'The second visitor was NOT fed by the first'}: ${(share * 100).toFixed(1)} % of its bytes.`));
  return fed && verified;
}

function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
  rows.forEach((row, index) => {
    console.log(`  ${row.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join('   ')}`);
    if (index === 0) console.log(`  ${widths.map(width => '-'.repeat(width)).join('   ')}`);
  });
}
