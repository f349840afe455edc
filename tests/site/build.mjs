// Assembles the demo site: node tests/site/build.mjs OUT
//
// OUT becomes a webroot: index.html, which a visitor always gets from the site itself, and static/, the folder that is
// published and shared. What lies in tests/site is ours; the libraries, the font and the pictures come from npm packages pinned
// in tests/package-lock.json. The same packages give the same files, byte for byte.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeTune } from './tune.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = resolve(HERE, '..', 'node_modules');
const EMOJI = 'emoji-datasource-twitter/img/twitter';
const EVERY_NTH_EMOJI = 12;

// What is taken from which package, and where it goes below static/vendor/.
const VENDOR = [
  ['three/build/three.module.js', 'three/three.module.js'],
  ['three/build/three.core.js', 'three/three.core.js'],
  ['three/LICENSE', 'three/LICENSE'],
  ...['curves', 'geometries', 'math', 'modifiers', 'utils'].map(folder => [`three/examples/jsm/${folder}`, `three/addons/${folder}`]),
  ['sql.js/dist/sql-wasm.js', 'sql.js/sql-wasm.js'],
  ['sql.js/dist/sql-wasm.wasm', 'sql.js/sql-wasm.wasm'],
  ['@fontsource-variable/inter/index.css', 'inter/index.css'],
  ...['cyrillic-ext', 'cyrillic', 'greek-ext', 'greek', 'vietnamese', 'latin-ext', 'latin'].map(subset => {
    const file = `files/inter-${subset}-wght-normal.woff2`;
    return [`@fontsource-variable/inter/${file}`, `inter/${file}`];
  }),
  ['@fontsource-variable/inter/LICENSE', 'inter/LICENSE'],
  [`${EMOJI}/sheets-256/32.png`, 'emoji/sheet-32.png'],
];

/** Builds the site into `out` and returns {files, bytes} of its shared folder. */
export function buildSite(out) {
  const folder = join(out, 'static');
  cpSync(join(HERE, 'static'), folder, { recursive: true });
  for (const [from, to] of VENDOR) cpSync(join(PACKAGES, from), join(folder, 'vendor', to), { recursive: true });
  copyEmoji(join(folder, 'vendor', 'emoji'));
  mkdirSync(join(folder, 'audio'), { recursive: true });
  writeFileSync(join(folder, 'audio', 'tune.wav'), makeTune());

  const files = listFiles(folder);
  writeFileSync(join(folder, 'app', 'files.json'), `${JSON.stringify(files, null, 1)}\n`);
  writeFileSync(join(out, 'index.html'), fillIntegrity(readFileSync(join(HERE, 'index.html'), 'utf8'), folder));
  return { files: files.length + 1, bytes: files.reduce((sum, file) => sum + file.bytes, 0) };
}

/** A few hundred small pictures, as sites have them; the same choice every time. */
function copyEmoji(to) {
  const from = join(PACKAGES, EMOJI, '64');
  mkdirSync(to, { recursive: true });
  for (const [index, name] of readdirSync(from).sort().entries()) {
    if (index % EVERY_NTH_EMOJI === 0) cpSync(join(from, name), join(to, name));
  }
}

/** Every file with its length and hash, so that the page itself can tell whether it got the right bytes. */
function listFiles(folder) {
  return walk(folder).sort().map(path => {
    const bytes = readFileSync(path);
    return { path: relative(folder, path).split(sep).join('/'), bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
}

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** Replaces {{sri PATH}} with the integrity value of that file. */
function fillIntegrity(html, folder) {
  return html.replace(/\{\{sri ([^}]+)\}\}/g, (_, path) => {
    return `sha384-${createHash('sha384').update(readFileSync(join(folder, path))).digest('base64')}`;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [out] = process.argv.slice(2);
  if (!out) {
    console.error('usage: node tests/site/build.mjs OUT');
    process.exit(2);
  }
  const { files, bytes } = buildSite(out);
  console.log(`${out}: ${files} files, ${(bytes / 1e6).toFixed(1)} MB to share, below ${join(out, 'static')}`);
}
