// One visitor: a home folder and an environment of their own, so that two visitors on one machine share nothing.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { FRINGE_NATIVE, REPO } from './paths.js';

export const HOST_NAME = 'org.fringe.host';

/** `name` is for people and file names. `native` is the program a browser starts; tests of the harness pass their own. */
export function newVisitor(scope, name, { native = FRINGE_NATIVE } = {}) {
  const home = scope.folder(name);
  const at = (...parts) => {
    const path = join(home, ...parts);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  };
  const runtime = at('run');
  const visitor = { name, home, native, data: at('data'), logs: at('logs'), runtime, socket: join(runtime, 'fringe.sock') };
  visitor.env = {
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_CONFIG_HOME: at('.config'),
    XDG_CACHE_HOME: at('.cache'),
    XDG_DATA_HOME: at('.local', 'share'),
    XDG_STATE_HOME: at('.local', 'state'),
    FRINGE_SOCKET: visitor.socket,
    FRINGE_DATA: visitor.data,
  };
  scope.defer(() => stopDaemon(visitor.socket));
  return visitor;
}

/** Ends the daemon that a browser may have started: it is no child of ours, so it is asked over its socket ("stop"). */
function stopDaemon(path) {
  const text = Buffer.from('{"id":1,"type":"stop"}');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return new Promise(resolve => {
    const socket = connect(path, () => socket.write(Buffer.concat([length, text])));
    socket.setTimeout(20000, () => socket.destroy());
    socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', resolve);
  });
}

/**
 * Writes the native-messaging manifest into `folder`. It names a script that starts the real program in the visitor's
 * environment, because a browser hands on whatever environment it happens to have.
 */
export function installNativeHost(visitor, folder, family) {
  const script = join(visitor.home, 'fringe-native-of-visitor');
  const exports = Object.entries(visitor.env).map(([key, value]) => `export ${key}='${value}'`);
  writeFileSync(script, ['#!/bin/sh', ...exports, `exec '${visitor.native}' "$@" 2>>'${join(visitor.logs, 'native.log')}'`, ''].join('\n'));
  chmodSync(script, 0o755);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${HOST_NAME}.json`), fillTemplate(family, script));
}

export function fillTemplate(family, path) {
  const template = readFileSync(join(REPO, 'manifests', `${HOST_NAME}.${family}.json.in`), 'utf8');
  return template.replace('@PATH@', path);
}
