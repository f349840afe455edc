// installer/quickstart as a newcomer runs it, with the programs under test.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { BUILD, REPO } from '../browser/lib/paths.js';

test('quickstart shows the second visitor fed by the first', async () => {
  const { status, text } = await new Promise(resolve => {
    const child = execFile(join(REPO, 'installer/quickstart'), { env: { ...process.env, FRINGE_BUILD: BUILD } },
      (error, out, err) => resolve({ status: error ? error.code : 0, text: out + err }));
    child.stdin.end();
  });
  assert.equal(status, 0, text);
  assert.match(text, /1 Chromium .* yes\n/);
  assert.match(text, /2 Firefox .* yes\n/);
  assert.match(text, /was fed by the first/);
});
