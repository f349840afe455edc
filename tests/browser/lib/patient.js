// The extension and the site's worker with ten times their patience. What ships goes to the site as soon as the host, or the
// browser itself, is slow to answer: right for a visitor, but on a loaded machine a test of what comes from where would then
// measure the machine. Tests of the time limits themselves use what ships.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXTENSION } from './paths.js';

const TIMES = 10;

/** After each of these limits a page's file comes from the site instead. */
const LIMITS = {
  'common/limits.js': ['HELLO_TIMEOUT_MS', 'PING_TIMEOUT_MS', 'OPEN_TIMEOUT_MS', 'REQUEST_TIMEOUT_MS', 'OPEN_WAIT_MS', 'WANT_TIMEOUT_MS', 'PAGE_WAIT_MS'],
  'firefox/limits.js': ['FIRST_BYTE_MS', 'QUEUE_MS', 'STALL_MS'],
  'chromium/content.js': ['BRIDGE_MS', 'ENTER_MS'],
  'chromium/gateway-slots.js': ['QUEUE_MS'],
  'site/fringe-sw.js': ['INTRODUCTION_MS', 'PAGE_MS', 'ACK_MS', 'TURN_MS', 'FIRST_BYTE_MS', 'STALL_MS'],
};

/** A copy of the extension that has patience, but with the limits in `except`; for `openChromium`, `openFirefox` and `deployMock`. */
export function patientExtension(scope, { except = [] } = {}) {
  const folder = scope.folder('patient');
  cpSync(EXTENSION, folder, { recursive: true });
  for (const [file, names] of Object.entries(LIMITS)) makePatient(join(folder, file), names.filter(name => !except.includes(name)));
  return folder;
}

/** Gives patience to the worker that `deploy` has written to a site. */
export function patientWorker(root) {
  makePatient(join(root, 'fringe-sw.js'), LIMITS['site/fringe-sw.js']);
}

function makePatient(file, names) {
  const text = names.reduce((before, name) => {
    const after = before.replace(new RegExp(`^( *(?:export )?const ${name} = )(\\d+);`, 'm'), (line, head, ms) => `${head}${ms * TIMES};`);
    if (after === before) throw new Error(`${file} has no limit ${name}`);
    return after;
  }, readFileSync(file, 'utf8'));
  writeFileSync(file, text);
}
