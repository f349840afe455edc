// installer/package-extension: the same bytes wherever it runs, what is in them, and what Mozilla's linter says.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { REPO } from '../browser/lib/paths.js';

const EPOCH = '1767225600';
const WHOLE = JSON.parse(readFileSync(join(REPO, 'extension/manifest.json'), 'utf8'));
const CHROMIUM = `fringe-${WHOLE.version}-chromium.zip`;
const FIREFOX = `fringe-${WHOLE.version}-firefox.xpi`;
let work;
before(() => { work = mkdtempSync(join(tmpdir(), 'fringe package ')); });
after(() => rmSync(work, { recursive: true, force: true }));

/** Runs it from the checkout in `from`, as `env`, `umask` and `args` say; answers {status, text}. */
function pack(from, out, { env = {}, umask = '022', args = [] } = {}) {
  const options = { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: work, SOURCE_DATE_EPOCH: EPOCH, ...env } };
  const { status, stdout, stderr } = spawnSync(
    'sh', ['-c', 'umask "$1"; shift; exec "$@"', 'sh', umask, join(from, 'installer/package-extension'), '--out', out, ...args], options);
  return { status, text: stdout + stderr };
}

/** A copy of what is packed, in another place, made in another order, at another time, with what an editor leaves behind. */
function copy(name) {
  const to = join(work, name);
  mkdirSync(join(to, 'installer'), { recursive: true });
  cpSync(join(REPO, 'installer/package-extension'), join(to, 'installer/package-extension'));
  for (const entry of readdirSync(join(REPO, 'extension')).reverse()) {
    cpSync(join(REPO, 'extension', entry), join(to, 'extension', entry), { recursive: true });
  }
  for (const entry of readdirSync(join(to, 'extension'), { recursive: true })) utimesSync(join(to, 'extension', entry), 1e9, 1e9);
  writeFileSync(join(to, 'extension/background/main.js~'), 'left behind');
  writeFileSync(join(to, 'extension/background/.main.js'), 'left behind');
  return to;
}

const names = zip => execFileSync('python3', ['-c', 'import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep="\\n")', zip], { encoding: 'utf8' }).trim().split('\n');
const manifestIn = zip => JSON.parse(execFileSync('python3', ['-c', 'import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read("manifest.json").decode())', zip], { encoding: 'utf8' }));
const listing = zip => execFileSync('python3', ['-c',
  'import sys, zipfile\nfor e in zipfile.ZipFile(sys.argv[1]).infolist(): print(e.date_time, oct(e.external_attr >> 16), e.compress_type)', zip], { encoding: 'utf8' });

test('the same bytes from another folder, by another user, in another place of the world', () => {
  const one = join(work, 'one'), two = join(work, 'two');
  assert.equal(pack(REPO, one).status, 0);
  const { status, text } = pack(copy('elsewhere'), two, { env: { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8', PYTHONHASHSEED: '7' }, umask: '077' });
  assert.equal(status, 0, text);
  for (const name of [CHROMIUM, FIREFOX]) {
    assert.ok(readFileSync(join(one, name)).equals(readFileSync(join(two, name))), name);
    assert.match(text, new RegExp(`^[0-9a-f]{64}  ${two}/${name}$`, 'm'));
    const [first, ...others] = new Set(listing(join(one, name)).trim().split('\n'));
    assert.deepEqual([first, others], ['(2026, 1, 1, 0, 0, 0) 0o100644 0', []]);
  }
});

test('a browser gets all that it loads, and of the manifest what is not only the other one\'s', () => {
  const out = join(work, 'contents');
  assert.equal(pack(REPO, out).status, 0);
  for (const name of [CHROMIUM, FIREFOX]) {
    const inside = names(join(out, name));
    assert.deepEqual(inside, [...inside].sort());
    assert.ok(inside.includes('background/main.js') && inside.includes('_locales/de/messages.json'));
    assert.ok(!inside.some(path => /README|package\.json|^pictures|^site\/|~$/.test(path)));
  }
  const chromium = manifestIn(join(out, CHROMIUM)), firefox = manifestIn(join(out, FIREFOX));
  assert.equal(chromium.key, WHOLE.key);
  assert.deepEqual(chromium.background, { service_worker: 'background/main.js', type: 'module' });
  assert.deepEqual(firefox.browser_specific_settings, WHOLE.browser_specific_settings);
  assert.deepEqual(firefox.background, { scripts: ['background/main.js'], type: 'module' });
  assert.equal(firefox.key, undefined);
  const both = new Set([...chromium.permissions, ...firefox.permissions]);
  assert.deepEqual([...both].sort(), WHOLE.permissions);
  for (const manifest of [chromium, firefox]) assert.deepEqual(manifest.host_permissions, WHOLE.host_permissions);
});

test('the table of permissions in the README is what the packages ask for', () => {
  const out = join(work, 'permissions');
  assert.equal(pack(REPO, out).status, 0);
  const asks = name => { const { permissions, host_permissions } = manifestIn(join(out, name)); return new Set([...permissions, ...host_permissions]); };
  const chromium = asks(CHROMIUM), firefox = asks(FIREFOX);
  const [, section] = /\n## Permissions\n(.*?)\n## /s.exec(readFileSync(join(REPO, 'extension/README.md'), 'utf8'));
  const table = {};
  for (const [, cell, why, where] of section.matchAll(/^\| (`.*?) \| (.*?) \| (.*?) \|$/gm)) {
    assert.ok(why.length > 10);
    for (const [, permission] of cell.matchAll(/`(.*?)`/g)) table[permission] = where;
  }
  const expected = {};
  for (const permission of new Set([...chromium, ...firefox])) {
    expected[permission] = !firefox.has(permission) ? 'Chromium' : !chromium.has(permission) ? 'Firefox' : 'both';
  }
  assert.deepEqual(Object.entries(table).sort(), Object.entries(expected).sort());
});

test('for a store the zip has no key', () => {
  const out = join(work, 'store');
  assert.equal(pack(REPO, out, { args: ['--store'] }).status, 0);
  assert.equal(manifestIn(join(out, CHROMIUM)).key, undefined);
});

test('without SOURCE_DATE_EPOCH the commit gives the date; without either it says what to do', () => {
  const tree = copy('commit'), out = join(work, 'dated');
  const without = { env: { SOURCE_DATE_EPOCH: '', GIT_CEILING_DIRECTORIES: work } };
  const { status, text } = pack(tree, out, without);
  assert.equal(status, 1);
  assert.match(text, /no git checkout.*set SOURCE_DATE_EPOCH/);

  const git = (...args) => execFileSync('git', ['-C', tree, '-c', 'user.name=a', '-c', 'user.email=a@game.example', ...args], {
    env: { PATH: process.env.PATH, HOME: work, GIT_AUTHOR_DATE: '1700000000 +0900', GIT_COMMITTER_DATE: '1700000000 +0900' }, stdio: 'pipe' });
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'all');
  assert.equal(pack(tree, out, without).status, 0);
  assert.match(listing(join(out, FIREFOX)), /^\(2023, 11, 14, 22, 13, 20\)/);
});

test('what is wrong is said in one line, and nothing is left half-done', () => {
  for (const epoch of ['yesterday', '-1', '0', '99999999999']) {
    const { status, text } = pack(REPO, join(work, 'none'), { env: { SOURCE_DATE_EPOCH: epoch } });
    assert.equal(status, 1);
    assert.match(text, /^package-extension: SOURCE_DATE_EPOCH is '.*': a zip needs .*\n$/);
  }
  writeFileSync(join(work, 'file'), '');
  const { status, text } = pack(REPO, join(work, 'file'));
  assert.equal(status, 1);
  assert.match(text, /^package-extension: .*file.*\n$/);
  assert.equal(pack(REPO, work, { args: ['--nonsense'] }).status, 2);
});

test('Mozilla\'s linter finds nothing in the package for Firefox', () => {
  const out = join(work, 'lint');
  assert.equal(pack(REPO, out).status, 0);
  const linter = join(REPO, 'tests/node_modules/addons-linter/bin/addons-linter');
  const { stdout, stderr } = spawnSync(process.execPath, [linter, '--output', 'json', join(out, FIREFOX)], { encoding: 'utf8' });
  assert.ok(stdout.startsWith('{'), stdout + stderr);
  const { summary, errors, warnings, notices } = JSON.parse(stdout);
  assert.deepEqual(summary, { errors: 0, notices: 0, warnings: 0 }, JSON.stringify([...errors, ...warnings, ...notices], null, 1));
});
