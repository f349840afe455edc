// tap-run, which decides what counts as passed: what it says of programs that fail in every way, and of those that get a second
// try. The programs are shell commands made up here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const TAP_RUN = fileURLToPath(new URL('tap-run', import.meta.url));
const PYTHON_TAP = fileURLToPath(new URL('tap.py', import.meta.url));
// Node.js speaks TAP unless it runs below its own runner.
const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
const GOOD = 'echo 1..1; echo ok 1 - fine';

/** Runs tap-run on shell scripts; answers {counts, text, failures, flaky}. `setUp(folder)` comes first; scripts run in that folder. */
function tapRun(t, scripts, { flags = [], seconds = 20, setUp = () => {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'fringe-tap-run-'));
  t.after(() => rmSync(folder, { recursive: true }));
  setUp(folder);
  const list = scripts.map((script, i) => {
    const exitStatus = script.startsWith('exit-status ') ? 'exit-status ' : '';
    writeFileSync(join(folder, `${i}.sh`), script.slice(exitStatus.length));
    return `program${i}\t${seconds}\t${exitStatus}bash ${i}.sh\n`;
  });
  const { status, stdout } = spawnSync(TAP_RUN, [...flags, folder], { input: list.join(''), cwd: folder, encoding: 'utf8', env });
  assert.equal(status, 0);
  const read = name => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '');
  return { counts: read('counts'), text: stdout, failures: read('failures'), flaky: read('flaky') };
}

test('what passes is counted and shown in a line', t => {
  const { counts, text, failures } = tapRun(t, [GOOD, 'echo 1..2; echo ok 1; echo ok 2', 'exit-status exit 0']);
  assert.equal(counts, '4 0\n');
  assert.match(text, /^ {2}ok {3}program1 +2 ok +0 failed/m);
  assert.doesNotMatch(text, /-----/);
  assert.equal(failures, '');
});

const FAILURES = {
  'a test that fails': ['echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1', '1 1', /program0: not ok 2 - b/],
  'a status after all tests passed': [`${GOOD}; exit 3`, '1 1', /program0: status 3/],
  'a plan that is not done': ['echo 1..2; echo ok 1', '1 1', /program0: Bad plan/],
  'no plan': ['echo ok 1', '1 1', /program0: No plan/],
  'no test': ['true', '0 1', /program0: no tests/],
  'a skipped test': ['echo 1..1; echo "ok 1 - a # SKIP no reason"', '0 1', /program0: ok 1 - a # SKIP no reason/],
  'a test still to be done': ['echo 1..1; echo "not ok 1 - a # TODO later"', '0 1', /program0: not ok 1 - a # TODO later/],
  'a status without TAP': ['exit-status echo words; exit 2', '0 1', /program0: status 2\n +words/],
  'a signal': ['kill -9 $$', '0 1', /program0: .*status 137/],
};
for (const [name, [script, counts, said]] of Object.entries(FAILURES)) {
  test(`fails: ${name}`, t => {
    const run = tapRun(t, [script, GOOD]);
    assert.equal(run.counts, `${Number(counts.split(' ')[0]) + 1} ${counts.split(' ')[1]}\n`, run.text);
    assert.match(run.failures, said);
    assert.match(run.text, /^ {2}FAIL program0/m);
    assert.match(run.text, /^----- end of program0 -----/m);
  });
}

test('a program that hangs is ended', t => {
  const { counts, failures } = tapRun(t, [`${GOOD}; sleep 600`], { seconds: 1 });
  assert.equal(counts, '1 1\n');
  assert.match(failures, /took longer than 1 s/);
});

test('the reason is repeated in short: Node.js', t => {
  const script = 'import { test } from "node:test"; import assert from "node:assert/strict";'
    + 'test("sums", () => assert.equal(1 + 1, 3, "one and one")); test("fine", () => {}); test("throws", () => { throw new Error("burst"); });';
  const { counts, failures, text } = tapRun(t, ['node --test-reporter=tap it.test.mjs'], { setUp: folder => writeFileSync(join(folder, 'it.test.mjs'), script) });
  assert.equal(counts, '1 2\n', text);
  assert.match(failures, /program0: not ok 1 - sums\n +error: \|-\n +one and one\n/);
  assert.match(failures, /program0: not ok 3 - throws\n +error: 'burst'/);
  assert.doesNotMatch(failures, /fine/);
});

test('the reason is repeated in short: Python', t => {
  const script = 'import unittest\nclass A(unittest.TestCase):\n  def test_a(self): self.assertEqual(1, 2, "one and two")\n  def test_b(self): pass\n';
  const { counts, failures } = tapRun(t, [`/usr/bin/python3 ${PYTHON_TAP} it.py`], { setUp: folder => writeFileSync(join(folder, 'it.py'), script) });
  assert.equal(counts, '1 1\n');
  assert.match(failures, /not ok 1 - it\.A\.test_a\n[^]*AssertionError: 1 != 2 : one and two/);
  assert.doesNotMatch(failures, /test_b/);
});

test('the reason is repeated in short: a sanitizer, wherever it stands', t => {
  const noise = 'for i in $(seq 50); do echo noise $i >&2; done';
  const { failures } = tapRun(t, [`${noise}; echo ==1==ERROR: AddressSanitizer: bad >&2; ${noise}; echo 1..1; echo not ok 1 - a; exit 1`]);
  assert.match(failures, /not ok 1 - a\n {2}program0: status 1\n +==1==ERROR: AddressSanitizer: bad\n +noise 1\n/);
  assert.ok(failures.split('\n').length < 20, failures);
});

test('without --retry a failure is a failure', t => {
  const { counts, flaky } = tapRun(t, ['[ -e ran ] || exec false; touch ran; echo 1..1; echo ok 1']);
  assert.deepEqual([counts, flaky], ['0 1\n', '']);
});

/** Fails when it runs for the first time. */
const FLAKY = 'echo 1..2; echo ok 1 - a; [ -e ran ] && { echo ok 2 - b; exit 0; }; touch ran; echo not ok 2 - b; echo "# for no reason"; exit 1';

test('with --retry what passes at its second try counts as passed, and is told of', t => {
  const { counts, text, failures, flaky } = tapRun(t, [FLAKY, GOOD], { flags: ['--retry'] });
  assert.equal(counts, '3 0\n');
  assert.match(text, /^FLAKY program0: failed first, output follows\nnot ok 2 - b\n# for no reason\n/m);
  assert.match(text, /^ {2}ok {3}program0 +2 ok/m);
  assert.match(text, /^ {2}ok {3}program1/m);
  assert.equal(flaky, '  program0: not ok 2 - b\n       # for no reason\n');
  assert.equal(failures, '');
});

test('with --retry what fails twice is a failure, counted once and shown as both', t => {
  const { counts, text, failures, flaky } = tapRun(t, ['echo x >>ran; echo 1..1; echo not ok 1 - run $(wc -l <ran); exit 1'], { flags: ['--retry'] });
  assert.equal(counts, '0 1\n');
  assert.match(text, /^The first failure of program0, which failed again\nnot ok 1 - run 1\n/m);
  assert.match(failures, /^ {2}program0: not ok 1 - run 2\n/);
  assert.doesNotMatch(text, /FLAKY/);
  assert.equal(flaky, '');
});

test('with --jobs programs run side by side; each is counted, shown in one piece, and tried again if asked', t => {
  const meets = other => `touch met$0; for i in $(seq 200); do [ -e met${other}.sh ] && { ${GOOD}; exit; }; sleep 0.05; done; exit 1`;
  const { counts, text, failures, flaky } = tapRun(t, [meets(1), meets(0), FLAKY, 'echo 1..1; echo not ok 1 - x; exit 1', GOOD], { flags: ['--retry', '--jobs', '2'] });
  assert.equal(counts, '5 1\n', text);
  for (const i of [0, 1, 2, 4]) assert.match(text, new RegExp(`^ {2}ok {3}program${i} `, 'm'));
  assert.match(failures, /^ {2}program3: not ok 1 - x\n/);
  assert.match(flaky, /program2: not ok 2 - b/);
});

test('a runner that is given nonsense says how it is used', () => {
  for (const flags of [['--jobs', '0', 'x'], ['--jobs', 'many', 'x'], ['--nothing', 'x'], []]) {
    const { status, stderr } = spawnSync(TAP_RUN, flags, { input: '', encoding: 'utf8', env });
    assert.notEqual(status, 0);
    assert.match(stderr, /usage: tap-run/);
  }
});

test('with --retry what a sanitizer reports is a failure at once', t => {
  const report = 'echo x >>ran; echo 1..1; echo "not ok 1 - run $(wc -l <ran)"; echo "# ERROR: AddressSanitizer: heap-use-after-free"; [ $(wc -l <ran) = 2 ]';
  const { counts, text } = tapRun(t, [report], { flags: ['--retry'] });
  assert.equal(counts, '0 1\n', text);
  assert.doesNotMatch(text, /once more/);
});

test('with --retry what passes runs once', t => {
  const { counts, text } = tapRun(t, ['echo x >>ran; echo 1..1; echo ok 1 - run $(wc -l <ran); [ $(wc -l <ran) = 1 ]'], { flags: ['--retry'] });
  assert.equal(counts, '1 0\n', text);
});
