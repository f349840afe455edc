// The Debian package: made, looked at, installed into a fresh Debian and purged again; a browser visit with what it has put in place.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { REPO, findProgram } from '../browser/lib/paths.js';

// Mounts and a root folder of its own take it; a package is installed by root anyway.
const AS_ROOT = { skip: process.getuid() !== 0 && 'this needs root' };
const MANIFEST = 'org.fringe.host.json';
const MANIFESTS = ['etc/chromium/native-messaging-hosts', 'etc/opt/chrome/native-messaging-hosts', 'etc/opt/edge/native-messaging-hosts',
  'usr/lib/mozilla/native-messaging-hosts'].map(folder => `${folder}/${MANIFEST}`);
const MIRROR = 'http://deb.debian.org/debian';

let work, deb, unpacked;
let root; // the promise of a fresh Debian

/** Answers {status, text, out}; `text` has what it said on standard error too. */
function run(program, args, options = {}) {
  return new Promise(resolve => {
    const child = execFile(program, args, { maxBuffer: 1 << 26, ...options },
      (error, out, err) => resolve({ status: error ? error.code ?? 1 : 0, out, text: out + err }));
    child.stdin.end();
  });
}

async function done(program, args, options) {
  const { status, out, text } = await run(program, args, options);
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${text}`);
  return out;
}

before(async () => {
  work = mkdtempSync(join(tmpdir(), 'fringe-package-'));
  await done(join(REPO, 'installer/package-debian'), ['--out', work], { env: { ...process.env, ASAN_OPTIONS: '' } });
  deb = join(work, readdirSync(work).find(name => name.endsWith('.deb')));
  unpacked = join(work, 'unpacked');
  await done('dpkg-deb', ['-x', deb, unpacked]);
  if (!AS_ROOT.skip) root = freshRoot();
  root?.catch(() => {}); // whoever awaits it says so
});
after(async () => {
  await root?.catch(() => {});
  rmSync(work, { recursive: true, force: true });
});

/** A Debian with what the package depends on, and nothing else. */
async function freshRoot() {
  const depends = (await done('dpkg-deb', ['-f', deb, 'Depends'])).replace(/\(.*?\)|\s/g, '');
  const folder = join(work, 'root');
  // What it mounts goes with it, also when it is killed: nothing of it may be below a folder that is removed.
  await done('unshare', ['--mount', '--propagation', 'private', findProgram('mmdebstrap', 'mmdebstrap'), '--variant=apt', `--include=${depends}`, 'bookworm',
    folder, MIRROR]);
  return folder;
}

/** Runs it in the fresh Debian, with /proc; what it starts ends with it. */
const inside = (folder, ...words) => run('unshare', ['--mount', '--pid', '--fork', '--kill-child', `--root=${folder}`, '--wd=/', '--mount-proc', ...words],
  { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' } });

async function insideDone(folder, ...words) {
  const { status, text } = await inside(folder, ...words);
  assert.equal(status, 0, `${words.join(' ')}: ${text}`);
  return text;
}

test('lintian finds nothing', async () => {
  const { status, text } = await run('lintian', ['--allow-root', '--fail-on', 'error,warning', deb]);
  assert.equal(status, 0, text);
  assert.equal(text.trim(), '');
});

test('every option of every command is in its help, on the man pages and in the completion', async () => {
  const { status, text } = await run('/usr/bin/python3', [join(REPO, 'tests/installer/options.py'), join(unpacked, 'usr/bin/fringe'), unpacked]);
  assert.equal(status, 0, text);
});

test('the man pages are well-formed', async () => {
  for (const path of ['usr/share/man/man1/fringe.1.gz', 'usr/share/man/man8/fringe-supernode.8.gz']) {
    const { status, text } = await run('sh', ['-c', 'zcat "$1" | mandoc -T lint -W warning', 'sh', join(unpacked, path)]);
    assert.equal(status, 0, text);
  }
});

test('bash completes commands, options, words and files', async () => {
  const script = `
    . /usr/share/bash-completion/bash_completion
    . '${join(unpacked, 'usr/share/bash-completion/completions/fringe')}'
    compopt() { :; } # it wants a real completion
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fringe; echo "\${COMPREPLY[*]}"; }
    cd '${REPO}'
    try fringe pu; try fringe publish --su; try fringe daemon --zone ''; try fringe snippet ng; try fringe publish hos
    try fringe verify --key READ; try fringe nonsense --; try fringe publish --tracker x; try fringe log --c`;
  const { out, text } = await run('bash', ['--norc', '-c', script]);
  assert.deepEqual(out.split('\n').slice(0, 9),
    ['publish', '--supernode', 'off fetch share', 'nginx', 'host', 'README.md', '', '', '--clear --csv'], text);
});

test('systemd takes the units, and finds little that the super-node could do', async () => {
  const unit = join(unpacked, 'lib/systemd/system/fringe-supernode.service');
  const text = readFileSync(unit, 'utf8').replace('/usr/bin/fringe', join(unpacked, 'usr/bin/fringe'));
  const here = join(work, 'fringe-supernode.service');
  writeFileSync(here, text);
  const said = (await run('systemd-analyze', ['verify', '--man=no', here])).text;
  assert.doesNotMatch(said, /fringe-supernode/);
  await done('systemd-analyze', ['security', '--offline=true', '--threshold=15', here]);
  const user = join(work, 'fringe.service');
  writeFileSync(user, readFileSync(join(unpacked, 'usr/lib/systemd/user/fringe.service'), 'utf8').replace('/usr/bin/fringe', join(unpacked, 'usr/bin/fringe')));
  assert.doesNotMatch((await run('systemd-analyze', ['verify', '--user', '--man=no', user])).text, /fringe\.service/);
});

// Over the system's own folders, in a mount namespace of its own, lies what is in the package. The quickstart then uses nothing
// from the checkout but the demo site: the browsers find the extension and the host by themselves.
test('the quickstart\'s visits, with extension and host as the package has installed them', AS_ROOT, async () => {
  const visit = `mount -t overlay -o "lowerdir=$1/usr:/usr" overlay /usr && mount -t overlay -o "lowerdir=$1/etc:/etc" overlay /etc &&
    exec node '${join(REPO, 'installer/quickstart.mjs')}'`;
  const { status, text } = await run('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', visit, 'sh', unpacked],
    { env: { ...process.env, FRINGE_BUILD: '/usr', FRINGE_INSTALLED: '1' } });
  assert.equal(status, 0, text);
  assert.match(text, /1 Chromium .* yes\n/);
  assert.match(text, /2 Firefox .* yes\n/);
  assert.match(text, /was fed by the first/);
});

/** The package as an older version had it: with a program that is no more, and another default in a file of the administrator's. */
async function olderPackage(folder) {
  const tree = join(work, 'older');
  await done('dpkg-deb', ['-R', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, 'Version: 0.0.1'));
  writeFileSync(join(tree, 'usr/bin/fringe-gone'), 'gone');
  await done('dpkg-deb', ['--root-owner-group', '-b', tree, join(folder, 'older.deb')]);
}

/** All there is, but for what every installation changes: the logs, the caches and the books of dpkg and apt. */
const listing = folder => done('find', ['.', '-xdev', '(', '-path', './proc', '-o', '-path', './var/log', '-o', '-path', './var/cache', '-o', '-path',
  './var/lib/dpkg', '-o', '-path', './var/lib/apt', '-o', '-path', './home', '-o', '-name', '*.deb', ')', '-prune', '-o', '-printf', '%p %m %l\n'],
{ cwd: folder }).then(text => text.split('\n').sort());

const USER = '1000';
const HOME = '/home/anna';
const asUser = (folder, ...words) => insideDone(folder, 'setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'env', `HOME=${HOME}`, ...words);

test('in a fresh Debian: installed, upgraded with the cache, removed, purged without a trace', AS_ROOT, async context => {
  const folder = await root;
  const before = await listing(folder);
  await olderPackage(folder);
  await done('cp', [deb, join(folder, 'fringe.deb')]);

  await context.test('an older version installs, and a user fills its cache', async () => {
    await insideDone(folder, 'apt-get', '-y', '-q', '--no-install-recommends', 'install', '/older.deb');
    const data = join(folder, HOME, '.local/share/fringe');
    mkdirSync(data, { recursive: true });
    await done('/usr/bin/python3', [join(REPO, 'tests/installer/old-store.py'), data]);
    await done('chown', ['-R', `${USER}:${USER}`, join(folder, HOME)]);
    writeFileSync(join(folder, 'etc/default/fringe-supernode'), 'FRINGE_SUPERNODE="--site https://game.example --listen [::]:6881"\n');
  });

  await context.test('the upgrade takes what is no more away, and leaves the administrator\'s file', async () => {
    await insideDone(folder, 'apt-get', '-y', '-q', 'install', '/fringe.deb');
    assert.match(await insideDone(folder, 'fringe', '--version'), /^fringe \d+\.\d+\.\d+\n$/);
    assert.equal((await inside(folder, 'test', '-e', '/usr/bin/fringe-gone')).status, 1);
    assert.match(readFileSync(join(folder, 'etc/default/fringe-supernode'), 'utf8'), /game\.example --listen/);
  });

  await context.test('every browser\'s manifest names the program and the extension', async () => {
    const { key, browser_specific_settings: { gecko } } = JSON.parse(readFileSync(join(REPO, 'extension/manifest.json'), 'utf8'));
    const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 32);
    const id = digest.replace(/./g, digit => String.fromCharCode('a'.charCodeAt(0) + parseInt(digit, 16)));
    for (const path of MANIFESTS) {
      const manifest = JSON.parse(readFileSync(join(folder, path), 'utf8'));
      await insideDone(folder, manifest.path, '--version');
      assert.equal(`${manifest.name}.json`, MANIFEST);
      assert.deepEqual(manifest.allowed_origins ?? manifest.allowed_extensions, [path.includes('mozilla') ? gecko.id : `chrome-extension://${id}/`]);
    }
    assert.equal(JSON.parse(readFileSync(join(folder, 'usr/share/chromium/extensions/fringe/manifest.json'), 'utf8')).key, key);
  });

  await context.test('the user\'s cache and choices are there, in the new schema', async () => {
    const said = await asUser(folder, 'sh', '-c', `
      fringe daemon --listen 127.0.0.1:0 --no-port-map --log info 2>/tmp/daemon.log &
      n=0; until fringe status --json 2>/dev/null || [ $((n += 1)) -gt 300 ]; do sleep 0.1; done
      fringe sites --json; fringe stop; wait; cat /tmp/daemon.log; rm -f /tmp/daemon.log`);
    assert.match(said, /"cache":\{"files":1,"bytes":2200/);
    assert.match(said, /"site":"https:\/\/game.example"[^}]*"zone":"share"/);
    const schema = readFileSync(join(REPO, 'host/io/store_schema.h'), 'utf8');
    const [, number] = /define STORE_SCHEMA_NUMBER (\d+)/.exec(schema);
    const version = await done('/usr/bin/python3', ['-c', 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version").fetchone()[0])',
      join(folder, HOME, '.local/share/fringe/index.sqlite')]);
    assert.equal(version.trim(), number);
  });

  await context.test('removed: the administrator\'s files stay; purged: nothing does but what is the users\' own', async () => {
    const state = join(folder, 'var/lib/private/fringe-supernode');
    mkdirSync(state, { recursive: true });
    writeFileSync(join(state, 'index.sqlite'), '');
    await insideDone(folder, 'dpkg', '-r', 'fringe');
    await insideDone(folder, 'test', '-e', '/etc/default/fringe-supernode', '-a', '!', '-e', '/usr/bin/fringe', '-a', '-e', '/var/lib/private/fringe-supernode');
    rmSync(join(folder, HOME, '.local/state'), { recursive: true, force: true });
    await insideDone(folder, 'dpkg', '-P', 'fringe');
    rmSync(join(folder, 'var/lib/private'), { recursive: true, force: true });
    const now = await listing(folder);
    assert.deepEqual(now.filter(line => !before.includes(line)), []);
    // Debian's base system makes this empty folder, which is nobody's: dpkg takes it with what was last in it.
    assert.deepEqual(before.filter(line => !now.includes(line)).filter(line => !line.startsWith('./etc/opt ')), []);
    assert.ok(readdirSync(join(folder, HOME, '.local/share/fringe')).includes('index.sqlite'));
  });
});
