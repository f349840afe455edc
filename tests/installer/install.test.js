// installer/install and installer/uninstall in homes of their own.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { BUILD, REPO } from '../browser/lib/paths.js';
import { waitFor } from '../browser/lib/scope.js';

const MANIFEST = 'org.fringe.host.json';
const homes = [];
afterEach(() => homes.splice(0).forEach(home => rmSync(home, { recursive: true, force: true })));

/** A home in which the given browsers were started once. */
function newHome(...folders) {
  const home = mkdtempSync(join(tmpdir(), "fringe home & 'quotes' "));
  homes.push(home);
  for (const folder of folders) mkdirSync(join(home, folder), { recursive: true });
  return home;
}

/** Runs an installer script as the owner of `home`, with nothing else from our own environment; answers {status, text}. */
function run(script, home, args, moreEnv = {}) {
  const env = { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? '', ...moreEnv };
  return new Promise(resolve => {
    const child = execFile(join(REPO, 'installer', script), args, { env }, (error, out, err) => resolve({ status: error ? error.code : 0, text: out + err }));
    child.stdin.end();
  });
}

const install = (home, moreEnv) => run('install', home, ['--build', BUILD], moreEnv);
const uninstall = (home, ...args) => run('uninstall', home, args);
const walk = folder => readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
  const path = join(folder, entry.name);
  return entry.isDirectory() ? walk(path) : [path];
});

test('installs programs, extension and one manifest for each browser', async () => {
  const home = newHome('.config/chromium', '.config/BraveSoftware/Brave-Browser', '.mozilla');
  const { status, text } = await install(home);
  assert.equal(status, 0, text);

  const native = join(home, '.local/bin/fringe-native');
  assert.ok(statSync(native).mode & 0o100);
  assert.ok(statSync(join(home, '.local/bin/fringe')).mode & 0o100);
  assert.ok(existsSync(join(home, '.local/share/fringe-extension/manifest.json')));
  for (const folder of ['.config/chromium/NativeMessagingHosts', '.config/BraveSoftware/Brave-Browser/NativeMessagingHosts', '.mozilla/native-messaging-hosts']) {
    const manifest = JSON.parse(readFileSync(join(home, folder, MANIFEST), 'utf8'));
    assert.equal(manifest.path, native);
    assert.equal(manifest.name, 'org.fringe.host');
  }
  assert.ok(!existsSync(join(home, '.config/vivaldi')), 'no folder for a browser that is not there');
  assert.match(text, /Vivaldi: not found/);
  assert.match(text, /Load unpacked/);
});

test('the extension ids of manifest, key and native-messaging manifests agree', async () => {
  const home = newHome('.config/chromium', '.mozilla');
  await install(home);
  const extension = JSON.parse(readFileSync(join(home, '.local/share/fringe-extension/manifest.json'), 'utf8'));
  assert.equal(extension.key, readFileSync(join(REPO, 'manifests/chromium-key.pub.txt'), 'utf8').trim());
  const digest = createHash('sha256').update(Buffer.from(extension.key, 'base64')).digest('hex').slice(0, 32);
  const id = digest.replace(/./g, digit => String.fromCharCode('a'.charCodeAt(0) + parseInt(digit, 16)));
  const read = folder => JSON.parse(readFileSync(join(home, folder, MANIFEST), 'utf8'));
  assert.deepEqual(read('.config/chromium/NativeMessagingHosts').allowed_origins, [`chrome-extension://${id}/`]);
  assert.deepEqual(read('.mozilla/native-messaging-hosts').allowed_extensions, [extension.browser_specific_settings.gecko.id]);
});

test('a second run changes nothing and leaves no litter', async () => {
  const home = newHome('.mozilla');
  await install(home);
  writeFileSync(join(home, '.local/share/fringe-extension/left-over.js'), '');
  const before = walk(home).filter(path => !path.endsWith('left-over.js')).sort();
  const { status, text } = await install(home);
  assert.equal(status, 0, text);
  assert.deepEqual(walk(home).sort(), before);
});

test('uninstall takes all of it away, twice without complaint', async () => {
  const home = newHome('.config/chromium', '.mozilla', '.local/share/fringe');
  writeFileSync(join(home, '.local/share/fringe/index'), 'cache');
  await install(home);
  for (const attempt of [1, 2]) {
    const { status, text } = await uninstall(home);
    assert.equal(status, 0, `attempt ${attempt}: ${text}`);
    assert.deepEqual(walk(home), [join(home, '.local/share/fringe/index')], 'only the cache is left');
    assert.match(text, /kept: .*--purge/);
  }
  const { status } = await uninstall(home, '--purge');
  assert.equal(status, 0);
  assert.deepEqual(walk(home), []);
});

test('uninstall ends the host', async () => {
  const home = newHome();
  await install(home);
  const daemon = spawn(join(home, '.local/bin/fringe'), ['daemon', '--listen', '127.0.0.1:0'], { env: { HOME: home }, stdio: 'ignore' });
  const ended = new Promise(resolve => daemon.once('exit', resolve));
  try {
    await waitFor('the host', () => existsSync(join(home, '.local/state/fringe/daemon.sock')));
    const { status, text } = await uninstall(home, '--purge');
    assert.equal(status, 0, text);
    assert.equal(await ended, 0);
    assert.deepEqual(walk(home), []);
  } finally {
    daemon.kill('SIGKILL');
  }
});

test('a home that cannot be written: says so, says what to do, changes nothing', async () => {
  // Nobody can make folders in /proc, root included, so it stands for a read-only home.
  const { status, text } = await install('/proc');
  assert.equal(status, 1);
  assert.match(text, /cannot write to \/proc\/\.local\/bin/);
  assert.match(text, /read-only/);
  assert.match(text, /XDG_BIN_HOME/);
});

/** A folder with nothing but the named programs of the system, and what `stubs` says in the place of others: a PATH. */
function programsOnly(home, stubs = {}) {
  const folder = join(home, 'programs only');
  mkdirSync(folder);
  for (const name of ['awk', 'dirname', 'id', 'mktemp', 'rm', 'sed']) symlinkSync(`/usr/bin/${name}`, join(folder, name));
  for (const [name, text] of Object.entries(stubs)) {
    rmSync(join(folder, name), { force: true });
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return folder;
}

test('a missing dependency: says which, and what to do, and changes nothing', async () => {
  for (const [stubs, says] of [[{}, /no Debian system; please install: .*cmake/],
    [{ id: 'echo 1000', 'apt-get': 'exit 0' }, /not root and no sudo; please have installed: .*cmake/],
    [{ id: 'echo 0', 'apt-get': 'exit 100', env: 'shift; exec "$@"' }, /packages are missing/]]) {
    const home = newHome('.mozilla');
    const { status, text } = await run('install', home, [], { PATH: programsOnly(home, stubs) });
    assert.equal(status, 1, text);
    assert.match(text, says);
    assert.ok(!existsSync(join(home, '.local')) && !existsSync(join(home, '.mozilla/native-messaging-hosts')));
  }
});

/** The host that `home` has installed, and a client that stays connected to it, as the browser of an open page does. */
async function busyHost(home) {
  const daemon = spawn(join(home, '.local/bin/fringe'), ['daemon', '--listen', '127.0.0.1:0', '--no-port-map'], { env: { HOME: home }, stdio: 'ignore' });
  const ended = new Promise(resolve => daemon.once('exit', resolve));
  const path = join(home, '.local/state/fringe/daemon.sock');
  const client = await waitFor('the host', () => new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.once('error', reject);
  }));
  client.on('error', () => {});
  const left = new Promise(resolve => client.once('close', resolve));
  client.resume();
  return { daemon, ended, left };
}

test('over a running host, or away from under it while a page is open: it ends in order, and nothing is half-done', async () => {
  for (const act of [install, home => uninstall(home, '--keep')]) {
    const home = newHome('.mozilla');
    await install(home);
    const { daemon, ended, left } = await busyHost(home);
    try {
      const { status, text } = await act(home);
      assert.equal(status, 0, text);
      assert.equal(await ended, 0);
      await left;
      const manifest = existsSync(join(home, '.mozilla/native-messaging-hosts', MANIFEST));
      for (const name of ['.local/bin/fringe', '.local/bin/fringe-native', '.local/share/fringe-extension/manifest.json']) {
        assert.equal(existsSync(join(home, name)), act === install, name);
      }
      assert.equal(manifest, act === install);
      assert.ok(existsSync(join(home, '.local/share/fringe/index.sqlite')), 'the cache stays');
      assert.ok(!walk(home).some(path => /\.(new|old)$/.test(path)));
    } finally {
      daemon.kill('SIGKILL');
    }
  }
});

test('a browser in a sandbox is named, with what to do instead', async () => {
  const home = newHome('snap/chromium', '.var/app/org.mozilla.firefox');
  const { status, text } = await install(home);
  assert.equal(status, 0, text);
  for (const folder of ['snap/chromium', '.var/app/org.mozilla.firefox']) assert.ok(text.includes(join(home, folder)), text);
  assert.match(text, /distribution's own package|sandbox/);
});

test('XDG folders are respected', async () => {
  const home = newHome('cfg/chromium');
  const { status, text } = await install(home, {
    XDG_CONFIG_HOME: join(home, 'cfg'), XDG_DATA_HOME: join(home, 'data'), XDG_BIN_HOME: join(home, 'programs'),
  });
  assert.equal(status, 0, text);
  assert.ok(existsSync(join(home, 'programs/fringe-native')));
  assert.ok(existsSync(join(home, 'data/fringe-extension/manifest.json')));
  const manifest = JSON.parse(readFileSync(join(home, 'cfg/chromium/NativeMessagingHosts', MANIFEST), 'utf8'));
  assert.equal(manifest.path, join(home, 'programs/fringe-native'));
  assert.ok(!existsSync(join(home, '.config')) && !existsSync(join(home, '.local')));
});

test('unknown arguments end with status 2 and the usage', async () => {
  for (const script of ['install', 'uninstall']) {
    const { status, text } = await run(script, newHome(), ['--nonsense']);
    assert.equal(status, 2);
    assert.match(text, new RegExp(`installer/${script}`));
  }
});
