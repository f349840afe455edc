// Gives a visitor the mock host (mock-host.js) in place of the real one.
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXTENSION } from './paths.js';
import { newVisitor } from './visitor.js';

const PROGRAM = fileURLToPath(new URL('mock-host.js', import.meta.url));

/**
 * A visitor whose browser starts the mock. `config`:
 *   defaultZone  zone of sites without a choice ("share")
 *   sites        {SITE: {seq, root, version, bases, zone, headers, reason, roots: {SEQ: ROOT of an older release}}}
 *   source       which counter a page's bytes go to ("peers")
 *   log          {count: lines that are made up, lines: [newer ones, newest first; fields that differ]}
 *   doctor       its report: {status, lines, text}
 *   api          version of the API it says to speak (1)
 *   faults       silent: [types it never answers, or "*"], delayMs: {TYPE: ms}, want: {fields that replace an answer's},
 *                gatewaySilent: true, gatewayDelayMs: ms before each answer, cutAt | stallAt | dieAt: offset in a file where the connection closes, stalls, the host dies
 * `visitor.mock` has set(changes), asked(type), gateway(): all that it was asked so far.
 */
export function newMockVisitor(scope, name, config = {}) {
  const visitor = newVisitor(scope, name, { native: PROGRAM });
  const file = join(visitor.home, 'mock.json');
  visitor.env.FRINGE_MOCK = file;
  visitor.mock = new Mock(file, config);
  return visitor;
}

/**
 * What `deploy` (publish.js) does, without the real program: the files a browser reads from the site, and the label. Returns
 * the site's entry for the mock's `sites`. `extension`: the folder whose worker it is (patient.js).
 */
export async function deployMock(origin, { seq = 1, bases = ['/static/'], version = '1.0', extension } = {}) {
  writeSiteFiles(origin.root, { seq, bases }, extension);
  await origin.label(seq);
  return { seq, bases, version, root: origin.root };
}

export function writeSiteFiles(root, config, extension = EXTENSION) {
  const worker = readFileSync(join(extension, 'site', 'fringe-sw.js'), 'utf8');
  const line = /^const CONFIG = .*; \/\/ written by fringe publish$/m;
  writeFileSync(join(root, 'fringe-sw.js'), worker.replace(line, `const CONFIG = ${JSON.stringify(config)}; // written by fringe publish`));
  mkdirSync(join(root, '.well-known', 'fringe'), { recursive: true });
  cpSync(join(extension, 'site', 'enter.html'), join(root, '.well-known', 'fringe', 'enter.html'));
}

class Mock {
  #file;

  constructor(file, config) {
    this.#file = file;
    this.config = {};
    this.set(config);
  }

  /** Changes the configuration; the running mock follows at its next step. */
  set(changes) {
    this.config = { ...this.config, ...changes };
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.config));
    renameSync(`${this.#file}.new`, this.#file);
  }

  #log() {
    const log = `${this.#file}.log`;
    return existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line)) : [];
  }

  /** The requests of that type, oldest first. */
  asked(type) {
    return this.#log().filter(entry => entry.type === type);
  }

  /** The requests to the gateway. */
  gateway() {
    return this.#log().filter(entry => entry.gateway);
  }
}
