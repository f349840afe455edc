// A visitor's `fringe daemon`: started with the visitor's own data, socket and port, read with `fringe status`.
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FRINGE } from './paths.js';
import { freePort, waitFor } from './scope.js';

const run = promisify(execFile);

/**
 * `peers`: addresses ("127.0.0.1:4001") or other hosts; `zone`: for sites the visitor has not chosen yet; `listen`: elsewhere than on
 * loopback; `args`: any more flags.
 */
export async function startHost(scope, visitor, { peers = [], caFile, zone = 'share', port, listen, env = {}, args = [] } = {}) {
  listen ??= `127.0.0.1:${port ?? await freePort()}`;
  const choices = ['--listen', listen, '--zone', zone, ...peers.flatMap(peer => ['--peer', peer.address ?? peer]),
    ...(caFile ? ['--ca-file', caFile] : []), ...args];
  // When this daemon dies, the browser's fringe-native starts another: it shall be the same kind of daemon.
  visitor.env.FRINGE_DAEMON_ARGS = choices.join(' ');
  const flags = ['daemon', '--data', visitor.data, '--socket', visitor.socket, ...choices];
  const host = new Host(scope, visitor, listen, flags, env);
  await host.start();
  return host;
}

class Host {
  #scope;
  #child;
  #flags;
  #env;

  constructor(scope, visitor, address, flags, env) {
    this.#scope = scope;
    this.#flags = flags;
    this.#env = { ...visitor.env, ...env };
    this.visitor = visitor;
    this.address = address;
    this.log = join(visitor.logs, 'host.log');
  }

  get pid() {
    return this.#child.pid;
  }

  /** Starts it (again) with the same flags and waits until its socket takes connections. */
  async start() {
    const child = this.#scope.start(FRINGE, this.#flags, { log: this.log, env: this.#env });
    this.#child = child;
    await waitFor(`the host of ${this.visitor.name}`, () => {
      const failure = child.failure();
      if (failure) throw Object.assign(failure, { fatal: true });
      return canConnect(this.visitor.socket);
    });
  }

  async stop() {
    await this.#child.stop('SIGTERM');
  }

  /** Ends it as a crash would. */
  async kill() {
    await this.#child.stop('SIGKILL');
  }

  logText() {
    return this.#child.logText();
  }

  /** `fringe COMMAND ARGS... --socket ...` as this visitor; answers its standard output. */
  async command(...args) {
    const { stdout } = await run(FRINGE, [...args, '--socket', this.visitor.socket], { env: { ...process.env, ...this.#env }, maxBuffer: 1 << 26 });
    return stdout;
  }

  async status() {
    return JSON.parse(await this.command('status', '--json'));
  }
}

function canConnect(path) {
  return new Promise(resolve => {
    const socket = connect(path);
    socket.once('connect', () => socket.destroy() && resolve(true));
    socket.once('error', () => resolve(false));
  });
}
