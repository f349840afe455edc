// The connection to the host: hello first, one answer to each request, and what happens when the host is missing, of another
// version, hangs or ends. A made-up runtime.Port stands for the browser's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Host } from '../../extension/background/host.js';
import { fakeClock } from '../lib/fake-clock.js';

const HELLO = { ok: true, api: 1, version: '1.2', pid: 7, gateway: 'http://127.0.0.1:4567', default_zone: 'share' };

class Port {
  sent = [];
  closed = false;
  onMessage = new Listeners();
  onDisconnect = new Listeners();

  postMessage(frame) {
    if (this.closed) throw new Error('disconnected port');
    this.sent.push(frame);
  }

  disconnect() {
    this.closed = true;
  }

  answer(fields, index = -1) {
    this.onMessage.call({ id: this.sent.at(index).id, ...fields });
  }

  /** The host ends, or never was. */
  end() {
    this.closed = true;
    this.onDisconnect.call(this);
  }
}

class Listeners {
  #all = [];
  addListener = listener => this.#all.push(listener);
  call = (...args) => this.#all.forEach(listener => listener(...args));
}

let clock;

/** A Host on made-up ports and time, connected; `say` is called with each new state. */
function makeHost(t, { lastError = '' } = {}) {
  clock = fakeClock(t);
  const ports = [];
  const states = [];
  const host = new Host({
    connectNative: () => (ports.push(new Port()), ports.at(-1)), lastError: () => lastError, version: '0.1.0',
  });
  host.onState(state => states.push(state));
  host.connect();
  return { host, ports, states };
}

const settled = () => new Promise(resolve => setImmediate(resolve));

async function makeReady(t) {
  const made = makeHost(t);
  made.ports[0].answer(HELLO);
  await settled();
  assert.equal(made.host.state, 'ready');
  return { ...made, port: made.ports[0] };
}

test('hello comes first and makes the host ready', async t => {
  const { host, ports, states } = makeHost(t);
  assert.equal(host.state, 'connecting');
  assert.deepEqual(ports[0].sent, [{ id: 1, type: 'hello', api: 1, client: 'extension', version: '0.1.0' }]);
  await assert.rejects(host.request('status'), { code: 'not-ready' });
  ports[0].answer(HELLO);
  await settled();
  assert.deepEqual(states, ['ready']);
  assert.deepEqual(host.info, { version: '1.2', pid: 7, gateway: 'http://127.0.0.1:4567', defaultZone: 'share' });
});

test('answers find their requests in any order; errors carry their code', async t => {
  const { host, port } = await makeReady(t);
  const [first, second, third] = [host.request('a', { x: 1 }), host.request('b'), host.request('c')];
  assert.deepEqual(port.sent.at(-3), { id: 2, type: 'a', x: 1 });
  port.answer({ ok: true, n: 2 }, -2);
  port.answer({ ok: false, error: 'bad-site', text: 'no such site' });
  port.answer({ ok: true, n: 1 }, -3);
  assert.equal((await first).n, 1);
  assert.equal((await second).n, 2);
  await assert.rejects(third, { code: 'bad-site', message: 'no such site' });
});

/** A host that takes `batch` messages in one frame. */
async function makeBatching(t, batch) {
  const made = makeHost(t);
  made.ports[0].answer({ ...HELLO, batch });
  await settled();
  made.ports[0].sent.length = 0;
  return { ...made, port: made.ports[0], ids: () => made.ports[0].sent.map(frame => [frame].flat().map(({ id }) => id)) };
}

test('requests of a moment share a frame, the first of them waits for nobody', async t => {
  const { host, port, ids } = await makeBatching(t, 4);
  const all = Array.from({ length: 8 }, (_, n) => host.request('a', { n }));
  assert.deepEqual(ids(), [[2], [3, 4, 5, 6]], 'a full frame leaves at once');
  clock.tick(3);
  assert.deepEqual(ids(), [[2], [3, 4, 5, 6], [7, 8, 9]]);
  all.push(host.request('a'));
  assert.equal(port.sent.length, 3, 'it is still that moment');
  clock.tick(3);
  assert.equal(port.sent.at(-1).id, 10, 'one alone is no array');
  clock.tick(3);
  all.push(host.request('a'));
  assert.equal(port.sent.at(-1).id, 11);
  port.onMessage.call([4, 3, 2, 5, 6, 7, 8, 9].map(id => ({ id, ok: true })));
  port.onMessage.call({ id: 10, ok: true });
  port.onMessage.call([{ id: 11, ok: true }]);
  assert.deepEqual((await Promise.all(all)).map(({ id }) => id), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('a frame of several stays within the limit', async t => {
  const { host, port } = await makeBatching(t, 64);
  for (let n = 0; n < 9; n++) host.request('a', { text: 'é'.repeat(9_000) }).catch(() => {});
  host.request('a', { text: 'x'.repeat(65_500) }).catch(() => {});
  host.request('a').catch(() => {});
  clock.tick(3);
  const lengths = port.sent.map(frame => new TextEncoder().encode(JSON.stringify(frame)).length);
  assert.ok(lengths.every(length => length <= 65_536), lengths.join());
  assert.deepEqual(port.sent.map(frame => [frame].flat().length), [1, 3, 3, 2, 1, 1]);
});

test('a port that closes while requests wait', async t => {
  const { host, port } = await makeBatching(t, 64);
  const codes = [1, 2, 3].map(() => host.request('a').catch(error => error.code));
  port.closed = true;
  clock.tick(3);
  assert.deepEqual(await Promise.all(codes.slice(1)), ['disconnected', 'disconnected']);
  const last = host.request('a').catch(error => error.code);
  port.end();
  assert.deepEqual([await codes[0], await last], ['disconnected', 'disconnected']);
  clock.tick(3);
  assert.equal(port.sent.length, 1, 'what waited has gone with it');
});

test('an array of the host: nonsense in it is ignored, and it ends with the connection', async t => {
  const { host, port } = await makeBatching(t, 64);
  const first = host.request('a');
  const events = [];
  host.onEvent(({ event }) => {
    events.push(event);
    if (event === 'end') port.end();
  });
  port.onMessage.call([null, 7, [], [{ id: 2, ok: true }], { id: 2, ok: true, n: 1 }, { event: 'one' }, { event: 'end' }, { event: 'late' }]);
  assert.equal((await first).n, 1);
  assert.deepEqual(events, ['one', 'end']);
  assert.equal(host.state, 'crashed');
});

test('nonsense from the host is ignored', async t => {
  const { host, port } = await makeReady(t);
  for (const message of [null, 7, 'x', {}, { id: 99, ok: true }, { id: '2', ok: true }, []]) port.onMessage.call(message);
  assert.equal(host.state, 'ready');
});

test('events reach their listeners', async t => {
  const { host, port } = await makeReady(t);
  const events = [];
  host.onEvent(event => events.push(event));
  port.onMessage.call({ event: 'site.changed', site: 'https://game.example', zone: 'off' });
  assert.deepEqual(events, [{ event: 'site.changed', site: 'https://game.example', zone: 'off' }]);
});

test('a request too big, or one too many, fails by itself', async t => {
  const { host, port } = await makeReady(t);
  await assert.rejects(host.request('a', { text: 'x'.repeat(70_000) }), { code: 'too-big' });
  const all = Array.from({ length: 4096 }, () => host.request('a').catch(error => error.code));
  await assert.rejects(host.request('a'), { code: 'too-many' });
  port.end();
  assert.deepEqual(new Set(await Promise.all(all)), new Set(['disconnected']));
});

test('a request that times out asks whether the host lives; an answer keeps it', async t => {
  const { host, port } = await makeReady(t);
  const slow = assert.rejects(host.request('asset.want', {}, { timeoutMs: 1000 }), { code: 'timeout' });
  clock.tick(1000);
  await slow;
  await settled();
  assert.equal(port.sent.at(-1).type, 'hello');
  port.answer(HELLO);
  clock.tick(2000);
  await settled();
  assert.equal(host.state, 'ready');
});

test('a host that hangs is given up and tried again', async t => {
  const { host, port, ports, states } = await makeReady(t);
  const slow = assert.rejects(host.request('asset.want', {}, { timeoutMs: 1000 }), { code: 'timeout' });
  clock.tick(1000);
  await slow;
  await settled();
  clock.tick(2900);
  await settled();
  assert.equal(host.state, 'ready', 'a slow one is not given up');
  clock.tick(100);
  await settled();
  assert.equal(host.state, 'crashed');
  assert.equal(port.closed, true);
  clock.tick(250);
  assert.equal(ports.length, 2);
  ports[1].answer(HELLO);
  await settled();
  assert.deepEqual(states, ['ready', 'crashed', 'ready']);
});

test('a host that ends fails what was asked, and is tried again with growing pauses', async t => {
  const { host, port, ports } = await makeReady(t);
  const request = assert.rejects(host.request('a'), { code: 'disconnected' });
  port.end();
  await request;
  assert.equal(host.state, 'crashed');
  for (const pause of [250, 500, 1000]) {
    const before = ports.length;
    clock.tick(pause - 1);
    assert.equal(ports.length, before);
    clock.tick(1);
    assert.equal(ports.length, before + 1);
    ports.at(-1).end();
  }
});

const MISSING = {
  'Specified native messaging host not found.': 'not-installed', 'No such native application org.fringe.host': 'not-installed',
  'Access to the specified native messaging host is forbidden.': 'not-allowed',
  'This extension does not have permission to use native application org.fringe.host (or the application is not installed)': 'not-allowed',
  'Failed to start native messaging host.': 'not-startable', 'An unexpected error occurred': 'not-startable', 'File at path "/x/fringe-native" does not exist, or is not executable': 'not-startable',
};
for (const [words, fault] of Object.entries(MISSING)) {
  test(`missing: ${words}`, async t => {
    const { host, ports } = makeHost(t, { lastError: words });
    ports[0].end();
    await settled();
    assert.deepEqual([host.state, host.fault], ['missing', fault]);
    assert.equal(host.detail, words);
    clock.tick(4999);
    assert.equal(ports.length, 1);
    host.connect();
    assert.equal(ports.length, 2, 'the visitor does not wait');
  });
}

const WRONG_HELLOS = {
  'a newer api': ['host-newer', { api: 2 }], 'an older api': ['host-older', { api: 0 }], 'no api': ['host-odd', { api: 'x' }],
  'no gateway': ['host-odd', { gateway: 'http://evil.example' }], 'no zone': ['host-odd', { default_zone: 'all' }],
};
for (const [name, [fault, fields]] of Object.entries(WRONG_HELLOS)) {
  test(`wrong version: ${name}`, async t => {
    const { host, ports } = makeHost(t);
    ports[0].answer({ ...HELLO, ...fields });
    await settled();
    assert.deepEqual([host.state, host.fault], ['wrong-version', fault]);
    assert.equal(ports[0].closed, true);
    await assert.rejects(host.request('a'), { code: 'not-ready' });
  });
}

test('a hello that is refused or never answered', async t => {
  const refused = makeHost(t);
  refused.ports[0].answer({ ok: false, error: 'bad-request', text: 'api 9 wanted' });
  await settled();
  assert.equal(refused.host.state, 'wrong-version');
  assert.equal(refused.host.detail, 'api 9 wanted');
});

test('a silent host', async t => {
  const { host } = makeHost(t);
  clock.tick(5000);
  await settled();
  assert.deepEqual([host.state, host.fault], ['crashed', 'hangs']);
});

test('nobody waits while the host owes an answer to "are you there?"', async t => {
  const { host, port } = await makeReady(t);
  assert.equal(host.answering, true);
  host.doubt();
  host.doubt();
  assert.equal(host.answering, false);
  assert.equal(port.sent.length, 2, 'one question at a time');
  port.answer(HELLO);
  await settled();
  assert.equal(host.answering, true);
  host.doubt();
  clock.tick(3000);
  await settled();
  assert.deepEqual([host.state, host.fault, host.answering], ['crashed', 'hangs', false]);
});

test('one that ends again and again is started ever more seldom, one that has run for long at once', async t => {
  const { ports } = await makeReady(t);
  const restartAfter = async pause => {
    const before = ports.length;
    ports.at(-1).end();
    clock.tick(pause - 1);
    assert.equal(ports.length, before);
    clock.tick(1);
    assert.equal(ports.length, before + 1);
    ports.at(-1).answer(HELLO);
    await settled();
  };
  for (const pause of [250, 500, 1000, 2000]) await restartAfter(pause);
  clock.tick(20000);
  await restartAfter(250);
});

test('what the host says of disk, network and clock', async t => {
  const { host, ports } = makeHost(t);
  const heard = [];
  host.onHealth(() => heard.push(host.health));
  ports[0].answer({ ...HELLO, health: { store: 'no-space', network: 'ok', clock: 'ok' } });
  await settled();
  assert.equal(host.health.store, 'no-space');
  ports[0].onMessage.call({ event: 'health', store: 'ok', network: 'none', clock: 'ahead', clock_off_s: 86400 });
  assert.deepEqual(heard, [{ store: 'ok', network: 'none', clock: 'ahead', clockOffSeconds: 86400 }]);
  ports[0].end();
  assert.deepEqual(host.health, { store: 'ok', network: 'ok', clock: 'ok', clockOffSeconds: 0 });
});
