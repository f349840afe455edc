// A scope owns everything a test starts: child processes, temporary folders, browsers. Closing it undoes them in reverse
// order, and a crashed or interrupted test still takes its processes with it. Processes are ended by their own id only.
import { spawn } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const STOP_TIMEOUT_MS = 30000;
// Debian 12's Node.js does not have it as a global yet.
globalThis.crypto ??= webcrypto;

const running = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) {
    try {
      removeFolder(folder);
    } catch {
      // A process that is just dying may still write there; an error now would keep other exit hooks from running.
    }
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}

// Launch options for puppeteer: on a signal we exit at once, while its own hooks would only start to close the browser.
export const LEAVE_SIGNALS = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };

/** The process is killed when we exit, however that happens. */
export function killAtExit(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

export class Scope {
  #undo = [];

  /** Runs `fn` when the scope closes; what was deferred last runs first. */
  defer(fn) {
    this.#undo.push(fn);
  }

  /** A fresh folder, with a short name because socket paths end at 108 bytes. */
  folder(label = 't') {
    const path = mkdtempSync(join(tmpdir(), `fringe-${label}-`));
    folders.add(path);
    this.defer(() => removeFolder(path));
    return path;
  }

  /** Starts a process whose output goes to `log`. */
  start(command, args, { log, env, cwd }) {
    const child = new Child(command, args, { log, env, cwd });
    this.defer(() => child.stop());
    return child;
  }

  /** Undoes everything, even when one step fails; the first failure is thrown at the end. */
  async close() {
    const errors = [];
    while (this.#undo.length) {
      try {
        await this.#undo.pop()();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length) throw errors[0];
  }
}

function removeFolder(path) {
  folders.delete(path);
  if (!process.env.FRINGE_KEEP) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}

export class Child {
  #process;
  #ended;
  #asked = false;

  constructor(command, args, { log, env, cwd }) {
    this.command = command;
    this.log = log;
    const out = openSync(log, 'a');
    this.#process = spawn(command, args, { env: { ...process.env, ...env }, cwd, stdio: ['ignore', out, out] });
    closeSync(out);
    running.add(this.#process);
    this.#ended = new Promise(resolve => {
      this.#process.once('error', error => resolve({ error }));
      this.#process.once('exit', (code, signal) => resolve({ code, signal }));
    }).then(end => {
      running.delete(this.#process);
      this.end = end;
      return end;
    });
  }

  get pid() {
    return this.#process.pid;
  }

  logText() {
    return readFileSync(this.log, 'utf8');
  }

  /** Why it ended by itself, as an error with the last words it wrote; undefined while it runs. */
  failure() {
    if (!this.end || this.#asked) return undefined;
    const how = this.end.error?.message ?? `status ${this.end.code ?? this.end.signal}`;
    return new Error(`${this.command} ended by itself (${how})\n${this.logText().slice(-4000)}`);
  }

  /**
   * Ends the process and waits for it. Anything but a clean end is an error: a sanitizer's report shows as an exit status,
   * and it must not go unseen.
   */
  async stop(signal = 'SIGTERM') {
    // A host may end by itself when nobody needs it any more; only a bad end is an error.
    if (this.end?.code !== 0 && this.failure()) throw this.failure();
    if (this.end) return;
    this.#asked = true;
    this.#process.kill(signal);
    const late = await Promise.race([this.#ended, sleep(STOP_TIMEOUT_MS, 'late', { ref: false })]);
    if (late === 'late') {
      this.#process.kill('SIGKILL');
      await this.#ended;
      throw new Error(`${this.command} did not end within ${STOP_TIMEOUT_MS} ms of ${signal}\n${this.logText().slice(-4000)}`);
    }
    if (this.end.code) throw new Error(`${this.command} ended with status ${this.end.code}\n${this.logText().slice(-4000)}`);
  }
}

/** How long a browser may take for one step on a loaded machine before something must be wrong. */
export const LOADED_MS = 90000;

/** A page of `browser`, or of one of its contexts, that waits so long. */
export async function newPage(browser) {
  const page = await browser.newPage();
  page.setDefaultTimeout(LOADED_MS);
  return page;
}

/** Calls `probe` until it answers something true; what it throws last is part of the complaint. Costs no time when all is well. */
export async function waitFor(what, probe, timeoutMs = 40000) {
  const deadline = Date.now() + timeoutMs;
  for (let last = ''; ; await sleep(25)) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      if (error.fatal) throw error;
      last = `: ${error.message}`;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}${last}`);
  }
}

/** A loopback TCP port that is free at this moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** `fn`, but later calls get the first call's result. */
export function once(fn) {
  let result;
  return () => (result ??= fn());
}
