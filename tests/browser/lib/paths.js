// Where things are, in one place.
import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPO = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
export const BUILD = resolve(process.env.FRINGE_BUILD ?? join(REPO, 'build'));
export const EXTENSION = resolve(process.env.FRINGE_EXTENSION ?? join(REPO, 'extension'));
// The extension and the host are those that the Debian package has put in place; the tests bring none (tests/installer/package.test.js).
export const INSTALLED = process.env.FRINGE_INSTALLED === '1';
export const FRINGE = join(BUILD, 'bin', 'fringe');
export const FRINGE_NATIVE = join(BUILD, 'bin', 'fringe-native');

/** The full path of a program; nginx and friends live in sbin, which is not on everyone's PATH. */
export function findProgram(name, debianPackage) {
  const folders = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/usr/bin${delimiter}/sbin`.split(delimiter);
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  throw new Error(`${name} is missing: install Debian's package ${debianPackage}`);
}
