// A visitor on whose machine things break: the disk of the host is small and can be filled or made read-only, its clock can be moved, its
// program goes away or is another one. The browser starts the host itself, as on a real machine.
//
// The disk is a tmpfs in a mount namespace of the host's own. `bin/fringe-native` is a copy, because it starts what lies beside it:
// `bin/fringe` here is a script that waits while `held`, then starts the real program in that namespace, with the wrong clock.
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FRINGE, FRINGE_NATIVE, findProgram } from './paths.js';
import { waitFor } from './scope.js';
import { HOST_NAME, newVisitor } from './visitor.js';

const run = promisify(execFile);
const CLOCK_SOURCE = fileURLToPath(new URL('../../lib/wrong_clock.c', import.meta.url));
const DISK = '240m'; // a tenth of what is free is the cache's

/** `visitor.fragile` breaks things; `daemonArgs`: further flags of the daemon that the browser starts. */
export async function newFragileVisitor(scope, name, { caFile, zone = 'share', daemonArgs = [] }) {
  const folder = scope.folder('bin');
  const visitor = newVisitor(scope, name, { native: join(folder, 'fringe-native') });
  const fragile = new Fragile(visitor, folder);
  await fragile.prepare(scope);
  visitor.env.FRINGE_DAEMON_ARGS = ['--ca-file', caFile, '--zone', zone, '--listen', '127.0.0.1:0', '--no-port-map', ...daemonArgs].join(' ');
  visitor.fragile = fragile;
  return visitor;
}

class Fragile {
  #visitor;
  #inside;
  #hold;
  #clock;

  constructor(visitor, folder) {
    this.#visitor = visitor;
    this.folder = folder;
    this.#hold = join(folder, 'hold');
    this.#clock = join(visitor.runtime, 'clock'); // where a confined host can read it
  }

  async prepare(scope) {
    const holder = scope.start(findProgram('unshare', 'util-linux'), ['-Urm', 'sleep', 'infinity'], { log: join(this.#visitor.logs, 'disk.log') });
    await waitFor('a mount namespace', () => {
      if (holder.failure()) throw Object.assign(holder.failure(), { fatal: true });
      return readFileSync(`/proc/${holder.pid}/comm`, 'utf8').trim() === 'sleep';
    });
    this.#inside = ['-t', String(holder.pid), '-U', '--preserve-credentials', '-m', '--'];
    await this.onDisk(`mount -t tmpfs -o size=${DISK},mode=700 tmpfs "$0"`);
    const library = join(this.folder, 'wrong_clock.so');
    await run(findProgram('gcc', 'gcc'), ['-shared', '-fPIC', '-o', library, CLOCK_SOURCE]);
    this.setClock(0);
    copyFileSync(FRINGE_NATIVE, join(this.folder, 'fringe-native'));
    writeFileSync(join(this.folder, 'fringe'), ['#!/bin/sh',
      `while [ -e '${this.#hold}' ]; do sleep 0.05; done`,
      `exec '${findProgram('nsenter', 'util-linux')}' ${this.#inside.join(' ')} env LD_PRELOAD='${library}' WRONG_CLOCK='${this.#clock}' \\`,
      `  ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" '${FRINGE}' "$@"`, ''].join('\n'));
    chmodSync(join(this.folder, 'fringe'), 0o755);
  }

  /** Runs a shell command in the folder of the host's data, as the host sees it. */
  async onDisk(command) {
    await run(findProgram('nsenter', 'util-linux'), [...this.#inside, 'sh', '-ec', `cd "$0" && ${command}`, this.#visitor.data]);
  }

  fill() {
    return this.onDisk('dd if=/dev/zero of=filler bs=4k 2>/dev/null || true');
  }

  free() {
    return this.onDisk('rm -f filler');
  }

  /** The host's clock is so many seconds ahead. */
  setClock(seconds) {
    writeFileSync(`${this.#clock}.new`, String(seconds));
    renameSync(`${this.#clock}.new`, this.#clock);
  }

  /** No daemon begins until `release`. */
  hold() {
    writeFileSync(this.#hold, '');
  }

  release() {
    rmSync(this.#hold, { force: true });
  }

  async status() {
    const { stdout } = await run(FRINGE, ['status', '--json', '--socket', this.#visitor.socket]);
    return JSON.parse(stdout);
  }

  /** Its files stay when the disk fills up. */
  async keep(site) {
    await run(FRINGE, ['cache', 'keep', site, '--socket', this.#visitor.socket]);
  }

  /** `fringe stop`, and it is over. */
  async stop() {
    await run(FRINGE, ['stop', '--socket', this.#visitor.socket]);
    await waitFor('the end of the host', () => !existsSync(this.#visitor.socket));
  }

  /** Sends the daemon a signal; answers its process id. */
  async signal(name) {
    const { pid } = await this.status();
    process.kill(pid, name);
    return pid;
  }

  /** What the browser starts is `text` for now, or nothing at all (null); `mend` puts everything back. */
  breakProgram(text) {
    const program = join(this.#visitor.home, 'fringe-native-of-visitor');
    if (!existsSync(`${program}.good`)) renameSync(program, `${program}.good`);
    rmSync(program, { force: true });
    if (text === null) return;
    writeFileSync(program, text);
    chmodSync(program, 0o755);
  }

  /** The host's manifest says something else (`change`), or is gone (null). */
  breakManifest(browser, change) {
    const file = this.#manifest(browser);
    if (!existsSync(`${file}.good`)) renameSync(file, `${file}.good`);
    rmSync(file, { force: true });
    if (change) writeFileSync(file, change(readFileSync(`${file}.good`, 'utf8')));
  }

  mend(browser) {
    for (const file of [join(this.#visitor.home, 'fringe-native-of-visitor'), this.#manifest(browser)]) {
      if (existsSync(`${file}.good`)) renameSync(`${file}.good`, file);
    }
  }

  #manifest({ kind }) {
    const folder = kind === 'firefox' ? ['.mozilla', 'native-messaging-hosts'] : ['chromium', 'NativeMessagingHosts'];
    mkdirSync(join(this.#visitor.home, ...folder), { recursive: true });
    return join(this.#visitor.home, ...folder, `${HOST_NAME}.json`);
  }
}
