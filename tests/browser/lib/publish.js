// What a publisher does, with the program a publisher uses.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FRINGE } from './paths.js';

const run = promisify(execFile);

/** Makes a key pair in `folder` and returns the path of the secret key. */
export async function keygen(folder) {
  const name = join(folder, 'site');
  const key = `${name}.key`;
  if (!existsSync(key)) await run(FRINGE, ['keygen', '--out', name, '--no-password']);
  return key;
}

/** Signs the folder `dir` as the bundle `base` of `origin` and returns the release that now stands in its webroot. */
export async function publish(origin, dir, { base = '/static/', key, trackers = [], headers = [], version } = {}) {
  key ??= await keygen(origin.folder);
  await run(FRINGE, ['publish', dir, '--site', origin.url, '--base', base, '--key', key, '--out', origin.root,
    ...trackers.flatMap(tracker => ['--tracker', tracker]), ...headers.flatMap(header => ['--header', header]),
    ...(version ? ['--version', version] : [])]);
  return readRelease(origin);
}

export function readRelease(origin) {
  return JSON.parse(readFileSync(join(origin.root, '.well-known', 'fringe', 'release.json'), 'utf8'));
}

/** Publishes and labels every page of the site with the new release: what a site does on each deployment. */
export async function deploy(origin, dir, options) {
  const release = await publish(origin, dir, options);
  await origin.label(release.seq);
  return release;
}
