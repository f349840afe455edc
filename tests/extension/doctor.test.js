// The question to the host for its own examination: one connection, one answer, and every way in which there is none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '../../extension/background/doctor.js';
import { DOCTOR_TIMEOUT_MS } from '../../extension/common/limits.js';
import { fakeClock } from '../lib/fake-clock.js';

const GOOD = { id: 1, ok: true, status: 'warn', text: 'x', lines: [{ area: 'a', status: 'warn', seen: 's', next: 'n' }] };

function makePort() {
  const listeners = { message: [], disconnect: [] };
  return {
    sent: [],
    closed: 0,
    onMessage: { addListener: listener => listeners.message.push(listener) },
    onDisconnect: { addListener: listener => listeners.disconnect.push(listener) },
    postMessage(frame) { this.sent.push(frame); },
    disconnect() { this.closed++; },
    answer(message) { listeners.message.forEach(listener => listener(message)); },
    end() { listeners.disconnect.forEach(listener => listener(this)); },
  };
}

test('one request over a connection of its own, which is closed', async t => {
  fakeClock(t);
  const port = makePort();
  const soon = examine(name => (assert.equal(name, 'org.fringe.host'), port), () => undefined);
  assert.deepEqual(port.sent, [{ id: 1, type: 'doctor' }]);
  port.answer(GOOD);
  assert.deepEqual(await soon, { report: { status: 'warn', text: 'x', lines: GOOD.lines }, problems: [] });
  assert.equal(port.closed, 1);
});

test('an answer of another shape is cut to ours, or refused', async t => {
  fakeClock(t);
  const ask = async message => {
    const port = makePort();
    const soon = examine(() => port, () => undefined);
    port.answer(message);
    return soon;
  };
  const { report } = await ask({ ok: true, status: 'splendid', lines: [null, { area: 5, status: [], seen: {} }], text: 7 });
  assert.deepEqual(report, { status: 'fail', text: '', lines: Array(2).fill({ area: '', status: 'fail', seen: '', next: '' }) });
  assert.equal((await ask({ ok: true, lines: Array(1000).fill(GOOD.lines[0]) })).report.lines.length, 256);
  for (const [message, id] of [[{ ok: true }, 'host-odd'], [{ ok: false, error: 'unknown-type', text: 't' }, 'host-older'], [null, 'host-older']]) {
    const { report: none, problems } = await ask(message);
    assert.equal(none, null);
    assert.deepEqual(problems.map(problem => problem.id), [id]);
  }
});

test('a host that cannot be started, ends or hangs is named', async t => {
  const clock = fakeClock(t);
  for (const [words, id] of [['Specified native messaging host not found.', 'host-missing'], ['Access to the specified native messaging host is forbidden.', 'host-not-allowed'],
    ['Failed to start native messaging host.', 'host-not-startable'], ['Native host has exited.', 'host-ended']]) {
    const port = makePort();
    const soon = examine(() => port, () => words);
    port.end();
    const { report, problems } = await soon;
    assert.equal(report, null);
    assert.deepEqual(problems.map(problem => [problem.id, problem.detail]), [[id, words]]);
  }
  const refused = await examine(() => { throw new Error('No such native application'); }, () => undefined);
  assert.equal(refused.problems[0].id, 'host-missing');
  const port = makePort();
  const soon = examine(() => port, () => undefined);
  clock.tick(DOCTOR_TIMEOUT_MS);
  assert.equal((await soon).problems[0].id, 'host-hangs');
  assert.equal(port.closed, 1);
});
