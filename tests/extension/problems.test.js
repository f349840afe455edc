// What is wrong, by what is known: each cause has a problem of its own with texts, and one that explains others hides them.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { HEALTHY, checkHealth, problemsOf, signOf } from '../../extension/background/problems.js';

const SITE = 'https://game.example';
const ready = (health = {}) => ({ state: 'ready', fault: '', detail: '', health: { ...HEALTHY, ...health } });
const broken = (state, fault) => ({ state, fault, detail: 'words', health: HEALTHY });
const site = fields => ({ site: SITE, state: 'ready', reason: '', origin: 'ok', ...fields });
const ids = known => problemsOf(known).map(({ id }) => id);

const HOSTS = {
  'host-missing': ['missing', 'not-installed', 'missing'], 'host-not-allowed': ['missing', 'not-allowed', 'missing'],
  'host-not-startable': ['missing', 'not-startable', 'missing'], 'host-older': ['wrong-version', 'host-older', 'problem'],
  'host-newer': ['wrong-version', 'host-newer', 'problem'], 'host-odd': ['wrong-version', 'host-odd', 'problem'],
  'host-ended': ['crashed', 'ended', 'problem'], 'host-hangs': ['crashed', 'hangs', 'problem'],
};
for (const [id, [state, fault, sign]] of Object.entries(HOSTS)) {
  test(`the host: ${id}`, () => {
    const problems = problemsOf({ host: broken(state, fault), site: site({ state: 'no-host' }), unseen: true });
    assert.deepEqual(problems.map(problem => problem.id), [id], 'it explains all else');
    assert.deepEqual([problems[0].detail, problems[0].retry, signOf(problems)], ['words', true, sign]);
  });
}

test('a host that is well, or being connected to, is no problem', () => {
  assert.deepEqual(ids({ host: ready(), site: site() }), []);
  assert.deepEqual(ids({ host: broken('connecting', '') }), []);
  assert.equal(signOf([]), '');
});

const HEALTH = {
  'store-full': { store: 'no-space' }, 'store-read-only': { store: 'read-only' }, 'store-broken': { store: 'io' },
  'clock-ahead': { clock: 'ahead', clockOffSeconds: 31536000 }, 'clock-behind': { clock: 'behind', clockOffSeconds: 90000 },
};
for (const [id, health] of Object.entries(HEALTH)) {
  test(`this computer: ${id}`, () => {
    const problems = problemsOf({ host: ready(health) });
    assert.deepEqual(problems.map(problem => problem.id), [id]);
    assert.equal(signOf(problems), 'problem');
  });
}

test('several at once are all told', () => {
  assert.deepEqual(ids({ host: ready({ store: 'read-only', clock: 'behind', network: 'none' }) }), ['store-read-only', 'clock-behind', 'no-network']);
});

test('how wrong the clock is, in words of a person', () => {
  const off = seconds => problemsOf({ host: ready({ clock: 'ahead', clockOffSeconds: seconds }) })[0].values;
  assert.deepEqual(off(31536000), [{ number: 1, unit: 'year' }]);
  assert.deepEqual(off(31536000 - 86400), [{ number: 1, unit: 'year' }]);
  assert.deepEqual(off(40 * 86400), [{ number: 1, unit: 'month' }]);
  assert.deepEqual(off(90000), [{ number: 1, unit: 'day' }]);
  assert.deepEqual(off(3), [{ number: 1, unit: 'minute' }]);
});

test('what the clock, the disk or the network brings about is told once', () => {
  assert.deepEqual(ids({ host: ready({ clock: 'ahead' }), site: site({ state: 'failed', reason: 'expired' }) }), ['clock-ahead']);
  assert.deepEqual(ids({ host: ready(), site: site({ state: 'failed', reason: 'expired' }) }), ['release-expired']);
  assert.deepEqual(ids({ host: ready({ store: 'no-space' }), site: site({ state: 'failed', reason: 'cannot-store' }) }), ['store-full']);
  assert.deepEqual(ids({ host: ready({ network: 'none' }), site: site({ origin: 'unreachable', state: 'failed', reason: 'no-release' }) }), ['no-network']);
  assert.deepEqual(ids({ host: ready(), site: site({ origin: 'unreachable', state: 'failed', reason: 'no-release' }) }), ['site-unreachable']);
  assert.deepEqual(ids({ host: ready(), site: site({ origin: 'tls' }) }), ['site-certificate']);
});

test('a site on this machine needs no network', () => {
  for (const address of ['http://localhost:8080', 'https://game.localhost:1', 'http://127.0.0.1', 'http://[::1]:2']) {
    assert.deepEqual(ids({ host: ready({ network: 'none' }), site: site({ site: address }) }), []);
  }
  assert.deepEqual(ids({ host: ready({ network: 'none' }), site: site() }), ['no-network']);
});

test('what the visitor or the owner wants is no problem, what is wrong with a release is one', () => {
  assert.deepEqual(ids({ host: ready(), site: site({ state: 'off', reason: 'zone-off' }) }), []);
  assert.deepEqual(ids({ host: ready(), site: site({ state: 'failed', reason: 'revoked' }) }), []);
  assert.deepEqual(ids({ host: ready(), site: site({ state: 'failed', reason: 'bad-signature' }) }), ['release-bad-signature']);
  assert.deepEqual(ids({ host: ready(), site: site({ state: 'failed', reason: 'something new' }) }), ['release-failed']);
});

test('a page that was opened too soon', () => {
  assert.deepEqual(ids({ host: ready(), unseen: true }), ['page-unseen']);
  assert.deepEqual(ids({ host: ready(), unseen: true, ownWorker: true }), ['own-worker'], 'to load it again would not help');
  assert.equal(signOf(problemsOf({ host: ready(), unseen: true })), '');
});

test('what the host says of itself is checked', () => {
  assert.deepEqual(checkHealth({ store: 'no-space', network: 'none', clock: 'behind', clock_off_s: 7 }),
    { store: 'no-space', network: 'none', clock: 'behind', clockOffSeconds: 7 });
  for (const health of [undefined, null, 7, {}, { store: 'constructor', network: 3, clock: ['x'], clock_off_s: -1 }, { store: 'toString', clock_off_s: 'x' }]) {
    assert.deepEqual(checkHealth(health), HEALTHY);
  }
});

for (const language of readdirSync(new URL('../../extension/_locales', import.meta.url))) {
  test(`each has a title and a help (${language})`, () => {
    const texts = JSON.parse(readFileSync(new URL(`../../extension/_locales/${language}/messages.json`, import.meta.url), 'utf8'));
    const hosts = Object.values(HOSTS).map(([state, fault]) => ({ host: broken(state, fault) }));
    const others = [...Object.values(HEALTH).map(health => ({ host: ready(health) })), { host: ready({ network: 'none' }), unseen: true },
      { host: ready(), site: site({ origin: 'tls' }) }, { host: ready(), site: site({ origin: 'unreachable' }) },
      { host: ready(), site: site({ state: 'failed', reason: 'x' }) }];
    const problems = [...hosts, ...others].flatMap(problemsOf);
    assert.equal(problems.length, 18);
    for (const { title, help, values } of problems) {
      assert.ok(texts[title]?.message, title);
      assert.ok(texts[help]?.message, help);
      assert.equal(Object.keys(texts[title].placeholders ?? {}).length, values.length, title);
    }
  });
}
