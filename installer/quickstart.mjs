// The demonstration behind installer/quickstart. Site, hosts and browsers are the test harness's own.
import { openChromium } from '../tests/browser/lib/chromium.js';
import { SHARED, newSharer, startDemoSite, visitDemo } from '../tests/browser/lib/demo.js';
import { openFirefox } from '../tests/browser/lib/firefox.js';
import { Scope } from '../tests/browser/lib/scope.js';

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
  step('Building, publishing and starting the demo site');
  const site = await startDemoSite(scope);
  note(`${site.origin.url}: nginx, TLS, HTTP/2; ${site.files} files, ${megabytes(site.bytes)} below ${SHARED}`);
  note(`signed as release ${site.release.seq}; one Link header labels the page`);

  const first = await visit(site, { name: 'anna', browserName: 'Chromium', open: openChromium });
  const second = await visit(site, { name: 'bert', browserName: 'Firefox', open: openFirefox, peers: [first.host] });
  return report(site.bytes, [first, second]);
}

/** One visitor from host to checked page; the host stays online for those who come after. */
async function visit(site, { name, browserName, open, peers = [] }) {
  step(`${browserName} visits${peers.length ? ', with the first visitor as a peer' : ''}`);
  const who = await newSharer(scope, site, name, { peers });
  note(`host process ${who.host.pid} on ${who.host.address}`);
  const { results, failures, total, sent } = await visitDemo(scope, site, who, open);
  note(`the page checked ${Object.keys(results).length} kinds of files, ${failures.length} failed`);
  for (const [kind, result] of failures) note(`  ${kind}: ${result}`);
  return { host: who.host, browserName, total, sent, verified: failures.length === 0 };
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
