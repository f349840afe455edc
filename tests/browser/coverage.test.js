// Coverage: each kind of request (lib/coverage-cases.js), in both browsers, without the extension and with it. The page must see the same; the site's
// access log says who answered. The table in extension/README.md is what was seen: COVERAGE_WRITE=1 writes it, else it must be right.
// COVERAGE_ONLY=img,fetch runs these cases alone, COVERAGE_SHOW=1 prints what the pages saw.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { openChromium } from './lib/chromium.js';
import { CASES as ALL, kit } from './lib/coverage-cases.js';
import { MORE_CONF, writeEndlessWorker } from './lib/coverage-more.js';
import { PAGES, folderOf, pageHeaders, writeCoverageSite } from './lib/coverage-site.js';
import { openFirefox } from './lib/firefox.js';
import { startHost } from './lib/host.js';
import { startOrigin } from './lib/origin.js';
import { REPO } from './lib/paths.js';
import { patientExtension, patientWorker } from './lib/patient.js';
import { waitForHost } from './lib/popup.js';
import { deploy } from './lib/publish.js';
import { Scope } from './lib/scope.js';
import { waitForWorker } from './lib/small-site.js';
import { newVisitor } from './lib/visitor.js';

const ONLY = process.env.COVERAGE_ONLY?.split(',');
const CASES = ALL.filter(({ id }) => !ONLY || ONLY.includes(id));
const BROWSERS = { chromium: openChromium, firefox: openFirefox };
const README = join(REPO, 'extension', 'README.md');
const MARKS = ['<!-- coverage: written by tests/browser/coverage.test.js -->', '<!-- end of coverage -->'];
/** What Firefox asks the site for each use of a file: a byte, 512 of media. */
const SIGN_BYTES = 512;
const TRIES = 3;

const scope = new Scope();
let origin;
const answered = Object.fromEntries(Object.keys(BROWSERS).map(kind => [kind, {}]));

before(async () => {
  origin = await startOrigin(scope, { conf: MORE_CONF });
  writeCoverageSite(origin.root, CASES, TRIES);
  await deploy(origin, join(origin.root, 'static'), { headers: ['Cross-Origin-Embedder-Policy: require-corp'] });
  const coep = { 'Cross-Origin-Embedder-Policy': 'require-corp' };
  origin.headers = { ...origin.headers, ...pageHeaders(origin.headers['/']), '/static/isolated-worker': { ...origin.headers['/'], ...coep } };
  patientWorker(origin.root);
  writeEndlessWorker(origin.root);
  await origin.restart();
});
after(() => scope.close());

/** Runs one case in a page of its own: what one leaves behind is no matter of the next. */
async function runCase(browser, each, folder = folderOf(each)) {
  const page = await browser.newPage();
  await page.goto(pageOf(each));
  await page.evaluate(kit);
  origin.mark();
  const seen = await page.evaluate(inPage, each.run.toString(), folder, each.prepared ? integrityOf(each) : undefined);
  await origin.logged();
  await page.close();
  return seen;
}

const pageOf = ({ page = 'plain' }) => `${origin.url}/${page}.html`;

/** The first visit of each kind of page: from then on the site's worker is there. */
async function meetWorker(browser) {
  for (const page of Object.keys(PAGES)) {
    const first = await browser.newPage();
    await first.goto(pageOf({ page }));
    await waitForWorker(first);
    await first.close();
  }
}

/**
 * Runs it with Fringe: [what the page saw, who answered]. On a busy machine a file may come from the site because the host, or the browser, was
 * late: it is asked who can answer, so there are a few tries, each with files that no cache of the browser knows.
 */
async function runWithFringe(kind, browser, host, each, without) {
  for (let tries = 1; ; tries++) {
    const folder = folderOf(each, tries);
    if (tries > 1) await fetchByHost(host, each, folder);
    const seen = JSON.parse(JSON.stringify(await runCase(browser, each, folder)).replaceAll(folder, folderOf(each)));
    const by = whoAnswered(folder);
    const right = each.differs?.[kind] || isDeepStrictEqual(seen, without);
    if (tries === TRIES || !right || by !== 'site' || each.site?.[kind]) return [seen, by];
  }
}

/** All files of the case into the host's cache, so that it has no reason to be late. It takes a program for each, so a first try does without. */
async function fetchByHost(host, { files }, folder) {
  for (const file of files) await host.command('get', `${origin.url}${folder}${file}`, '-o', '/dev/null');
}

/** The integrity of each file of the case, by the ending of its name. */
function integrityOf({ files, id }) {
  return Object.fromEntries(files.map(file => {
    const hash = createHash('sha384').update(readFileSync(join(origin.root, 'static', id, file))).digest('base64');
    return [file.split('.').at(-1), `sha384-${hash}`];
  }));
}

async function inPage(source, folder, prepared) {
  const run = (0, eval)(`(${source})`);
  try {
    return JSON.parse(JSON.stringify(await run(folder, window.cov, prepared) ?? null));
  } catch (error) {
    return ['failed', String(error?.message ?? error?.type ?? error)];
  }
}

/** Who answered for the case's files: "host", "site"; "sign" is the host, with the bytes that Firefox asks of the site. */
function whoAnswered(folder) {
  const requests = origin.requests(folder).filter(({ agent, path }) => agent.startsWith('Mozilla') && !path.includes('/never.'));
  if (requests.length === 0) return 'host';
  return requests.every(({ status, bytes }) => status === 206 && bytes <= SIGN_BYTES) ? 'sign' : 'site';
}

async function visitWithout(kind) {
  const browser = await BROWSERS[kind](scope, newVisitor(scope, `${kind}-without`), { origins: [origin], extension: null, host: false });
  const seen = {};
  for (const each of CASES) seen[each.id] = await runCase(browser, each);
  await browser.close();
  return seen;
}

async function visitWith(kind, without) {
  const visitor = newVisitor(scope, `${kind}-with`);
  const host = await startHost(scope, visitor, { caFile: origin.caFile });
  const browser = await BROWSERS[kind](scope, visitor, { origins: [origin], extension: patientExtension(scope) });
  await waitForHost(browser);
  await meetWorker(browser);
  const seen = {};
  for (const each of CASES) [seen[each.id], answered[kind][each.id]] = await runWithFringe(kind, browser, host, each, without[each.id]);
  await browser.close();
  return seen;
}

for (const kind of Object.keys(BROWSERS)) {
  test(kind, async t => {
    const without = await visitWithout(kind);
    const withFringe = await visitWith(kind, without);
    if (process.env.COVERAGE_SHOW) console.error(JSON.stringify({ without, withFringe, answered: answered[kind] }, null, 1));
    for (const each of CASES) {
      await t.test(`${each.id}: ${each.title}`, () => {
        assert.notEqual(without[each.id][0], 'failed', `without Fringe: ${without[each.id]}`);
        if (each.differs?.[kind]) assert.notDeepEqual(withFringe[each.id], without[each.id], 'it does not differ any more');
        else assert.deepEqual(withFringe[each.id], without[each.id]);
        assert.equal(answered[kind][each.id] === 'site', Boolean(each.site?.[kind]), `answered by: ${answered[kind][each.id]}`);
      });
    }
  });
}

const WORDS = { host: 'host', sign: 'host', site: '**site**' };

function table() {
  const why = ({ site = {}, differs = {} }) => [...new Set([...Object.values(site), ...Object.values(differs)])].join('; ');
  const word = (each, kind) => (each.files.length || each.site ? WORDS[answered[kind][each.id]] : '–');
  const rows = CASES.map(each => `| ${each.title} | ${word(each, 'chromium')} | ${word(each, 'firefox')} | ${why(each)} |`);
  return ['| Request | Chromium | Firefox | Why |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

test('the table in extension/README.md', { skip: Boolean(ONLY) }, () => {
  const text = readFileSync(README, 'utf8');
  const [head, rest] = text.split(`${MARKS[0]}\n`);
  for (const kind of Object.keys(BROWSERS)) assert.equal(Object.keys(answered[kind]).length, CASES.length, `${kind} did not come to its end`);
  assert.ok(rest, `${README} has no "${MARKS[0]}"`);
  const [written, tail] = rest.split(MARKS[1]);
  if (process.env.COVERAGE_WRITE) writeFileSync(README, `${head}${MARKS[0]}\n${table()}\n${MARKS[1]}${tail}`);
  else assert.equal(written, `${table()}\n`, 'it is not what was seen: COVERAGE_WRITE=1 node --test tests/browser/coverage.test.js writes it');
});
