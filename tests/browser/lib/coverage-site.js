// The site of the coverage tests: for each case a folder of its own below static/, so that the access log tells what the site had
// to send for it; and outside the shared folder the pages, one for each policy that a site may have.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeTune } from '../../site/tune.mjs';
import { BESIDE, MORE_FILES } from './coverage-more.js';
import { REPO } from './paths.js';

const MODULES = join(REPO, 'tests', 'node_modules');
const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>coverage</title><body>';
// Long enough that a file and the byte or two that Firefox asks the site for cannot be taken for each other.
const LONG = `/* ${'the quick brown fox '.repeat(200)} */\n`;
const BIG = 3_000_000;

/** A module that exports `answer` (42). */
const WASM = Buffer.from('0061736d01000000 0105016000017f 03020100 070a0106616e737765720000 0a06010400412a0b'.replaceAll(' ', ''), 'hex');

const package_ = name => readFileSync(join(MODULES, name));

/** What a case may name as a file of its own: content by kind. */
export const FILES = {
  'a.png': () => package_('emoji-datasource-twitter/img/twitter/64/1f600.png'),
  'b.png': () => package_('emoji-datasource-twitter/img/twitter/64/1f601.png'),
  'a.svg': () => `<svg xmlns="http://www.w3.org/2000/svg" width="48" height="24"><!-- ${LONG} --><symbol id="s"><rect width="48" height="24"/></symbol><rect width="48" height="24" fill="red"/></svg>`,
  'a.js': () => `${LONG}window.ran = (window.ran || 0) + 1;\n`,
  'throws.js': () => `${LONG}\nthrow new TypeError('as it should');\n`,
  'a.mjs': () => `${LONG}import { other } from './b.mjs';\nexport const where = new URL(import.meta.url).pathname;\nexport const sum = 1 + other;\nwindow.module = sum;\n`,
  'b.mjs': () => `${LONG}export const other = 2;\n`,
  'a.css': () => `${LONG}@import "b.css";\n.covered { color: rgb(1, 2, 3); background-image: url(a.png); }\n`,
  'b.css': () => `${LONG}.covered { margin-left: 7px; }\n`,
  'a.woff2': () => package_('@fontsource-variable/inter/files/inter-latin-wght-normal.woff2'),
  'a.wav': () => makeTune(),
  'a.wasm': () => Buffer.concat([WASM, wasmPadding(4000)]),
  'a.json': () => JSON.stringify({ words: LONG }),
  'a.txt': () => LONG.repeat(3),
  'big.bin': () => Buffer.alloc(BIG, 'abcdefgh'),
  'worker.js': () => `${LONG}onmessage = async ({ data }) => postMessage([data + 1, location.pathname, await (await fetch('a.txt')).text()]);\n`,
  'imports.js': () => `${LONG}importScripts('lib.js');\nonmessage = () => postMessage(self.lib);\n`,
  'lib.js': () => `${LONG}self.lib = 'imported';\n`,
  'module-worker.js': () => `${LONG}import { other } from './b.mjs';\nonmessage = () => postMessage(other);\n`,
  'shared-worker.js': () => `${LONG}onconnect = ({ ports: [port] }) => port.postMessage('shared');\n`,
  ...MORE_FILES,
};

/** A custom section, which means nothing. */
function wasmPadding(size) {
  const length = size + 2;
  return Buffer.concat([Buffer.from([0, (length & 127) | 128, length >> 7]), Buffer.from([1, 0x78]), Buffer.alloc(size, 1)]);
}

/** The pages by name, with the headers that make them what they are. */
export const PAGES = {
  plain: {},
  own: {},
  composed: {},
  csp: { 'Content-Security-Policy': "default-src 'self'" },
  strict: { 'Content-Security-Policy': "script-src 'nonce-covered' 'strict-dynamic'; object-src 'none'" },
  trusted: { 'Content-Security-Policy': "require-trusted-types-for 'script'" },
  isolated: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
};

const write = (root, name, content) => {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), content);
};

/** The folder of a case, as its URL begins; each try has its own. */
export const folderOf = ({ id }, tries = 1) => `/static/${id}${tries > 1 ? `-try${tries}` : ''}/`;

/** Writes the site; its label is put on when it is published. */
export function writeCoverageSite(root, cases, tries) {
  for (const each of cases) {
    for (const file of each.files) {
      for (let number = 1; number <= tries; number++) write(root, `${folderOf(each, number)}${file}`, FILES[file]());
    }
  }
  for (const name of Object.keys(PAGES)) write(root, `${name}.html`, PAGE);
  for (const [name, content] of Object.entries(BESIDE)) write(root, name, content);
  write(root, 'index.html', PAGE);
  write(root, 'frame.html', `${PAGE}<script>
    const image = new Image();
    image.onload = image.onerror = ({ type }) => parent.postMessage([type, image.naturalWidth], location.origin);
    image.src = decodeURIComponent(location.search.slice(1));
  </script>`);
}

/** The headers of the pages, for startOrigin. */
export function pageHeaders(label) {
  return Object.fromEntries(Object.entries(PAGES).map(([name, headers]) => [`= /${name}.html`, { ...label, ...headers }]));
}
