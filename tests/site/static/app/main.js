// Runs every check and shows the results; window.demo tells a test the same: {done, results: {kind: 'ok' | what went wrong}}.
import { audioDecodes, audioSeeks } from './checks/audio.js';
import { everyFile, partOfAFile, xmlHttpRequest } from './checks/bytes.js';
import { pictures, spriteSheet } from './checks/pictures.js';
import { classicScripts, dynamicImport, library, wrongHashRefused } from './checks/scripts.js';
import { font, styles } from './checks/styles.js';
import { wasm } from './checks/wasm.js';
import { classicWorker, moduleWorker } from './checks/workers.js';

const CHECK_TIMEOUT_MS = 90000;

const checks = {
  'style sheets': styles,
  'web font': font,
  'classic scripts': classicScripts,
  'script with a wrong hash': wrongHashRefused,
  'dynamic import': dynamicImport,
  'library modules': library,
  'module worker': moduleWorker,
  'classic worker': classicWorker,
  wasm,
  pictures,
  'sprite sheet': spriteSheet,
  'audio seeking': audioSeeks,
  'audio decoding': audioDecodes,
  XMLHttpRequest: xmlHttpRequest,
  'part of a file': partOfAFile,
};

await Promise.all(Object.entries(checks).map(run));
// Last, because it asks for everything: what the page itself wanted came first, as on any site.
await run(['every file', everyFile]);
const failed = Object.values(window.demo.results).filter(result => result !== 'ok').length;
document.getElementById('summary').textContent = failed ? `${failed} kinds failed` : `all ${Object.keys(window.demo.results).length} kinds work`;
window.demo.done = true;

async function run([kind, check]) {
  const late = new Promise((_, reject) => setTimeout(reject, CHECK_TIMEOUT_MS, new Error('timed out')));
  const result = await Promise.race([check(), late]).then(() => 'ok', error => String(error?.message ?? error));
  window.demo.results[kind] = result;
  const row = document.querySelector('#results tbody').insertRow();
  row.insertCell().textContent = kind;
  const cell = row.insertCell();
  cell.textContent = result;
  cell.className = result === 'ok' ? 'good' : 'bad';
}
