// A file's way from the gateway to a site worker: whole, in chunks against credits, cancelled, idle, broken.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { GatewaySlots } from '../../extension/chromium/gateway-slots.js';
import { Transfer } from '../../extension/chromium/transfer.js';

const BIG = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));
const SMALL = Buffer.from('a small file');

let server;
let requests = [];
let behave = () => {};

before(async () => {
  server = createServer((request, response) => {
    const file = request.url.includes('big') ? BIG : SMALL;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = range?.[2] ? Number(range[2]) + 1 : file.length;
    requests.push(request.headers.range ?? '');
    response.writeHead(range ? 206 : 200, { 'content-length': end - start, ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${file.length}` } : {}) });
    if (behave(response, file.subarray(start, end)) !== 'done') response.end(file.subarray(start, end));
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
});
after(() => server.close());

/** Runs a transfer; `onMessage(message, transfer)` plays the worker. Resolves to all messages, in order. */
/** A host that answers. */
const LIVES = { answering: true, doubt: () => {} };

async function run(name, { range = '', slots = new GatewaySlots(LIVES), onMessage = () => {}, asset = {}, behaviour = () => {} } = {}) {
  requests = [];
  behave = behaviour;
  const messages = [];
  const transfer = new Transfer((message, given) => {
    if (message.bytes) assert.deepEqual(given, [message.bytes]);
    messages.push(message);
    onMessage(message, transfer, messages);
  }, range, slots);
  const length = name.includes('big') ? BIG.length : SMALL.length;
  await transfer.run(async () => ({
    via: 'gateway', url: `http://127.0.0.1:${server.address().port}/${name}`, length, contentType: 'text/plain', headers: {}, etag: '', ...asset,
  }));
  return messages;
}

const bytesOf = messages => Buffer.concat(messages.filter(message => message.bytes).map(message => Buffer.from(message.bytes)));
const paying = (message, transfer) => message.type === 'data' && transfer.credit(1);

test('a small file is one message', async () => {
  const messages = await run('small');
  assert.deepEqual(messages.map(({ type }) => type), ['begin', 'head']);
  const [, { type, partial, start, length, total, contentType }] = messages;
  assert.deepEqual({ type, partial, start, length, total, contentType }, { type: 'head', partial: false, start: 0, length: 12, total: 12, contentType: 'text/plain' });
  assert.deepEqual(bytesOf(messages), SMALL);
});

test('a file that came with the answer is given without asking the gateway', async () => {
  const messages = await run('small', { asset: { body: Uint8Array.from(SMALL) } });
  assert.deepEqual(messages.map(({ type }) => type), ['head']);
  assert.deepEqual([messages[0].start, messages[0].length, messages[0].total], [0, 12, 12]);
  assert.deepEqual(bytesOf(messages), SMALL);
  assert.deepEqual(requests, []);
  // A part of it is the gateway's to cut.
  const part = await run('small', { range: 'bytes=2-4', asset: { body: Uint8Array.from(SMALL) } });
  assert.deepEqual(bytesOf(part), SMALL.subarray(2, 5));
  assert.equal(requests.length, 1);
});

test('a big file comes in chunks, the last one marked', async () => {
  const messages = await run('big', { onMessage: paying });
  assert.equal(messages[1].type, 'head');
  assert.deepEqual(bytesOf(messages), BIG);
  assert.deepEqual(messages.filter(message => message.last), [messages.at(-1)]);
});

test('a range', async () => {
  const messages = await run('big', { range: 'bytes=1000-999999', onMessage: paying });
  assert.deepEqual(requests, ['bytes=1000-999999']);
  const { partial, start, length, total } = messages[1];
  assert.deepEqual({ partial, start, length, total }, { partial: true, start: 1000, length: 999_000, total: BIG.length });
  assert.deepEqual(bytesOf(messages), BIG.subarray(1000, 1_000_000));
});

test('without credits the connection is given up after a moment, and continued later', async () => {
  let resumed = false;
  const messages = await run('big', {
    onMessage: (message, transfer, all) => {
      if (message.type !== 'data') return;
      const chunks = all.filter(({ type }) => type === 'data').length;
      if (chunks > 16) return transfer.credit(1);
      if (chunks === 16) {
        setTimeout(() => {
          resumed = true;
          transfer.credit(4);
        }, 1500);
      }
    },
  });
  assert.equal(resumed, true);
  assert.equal(requests.length, 2);
  assert.match(requests[1], /^bytes=\d+-2999999$/);
  assert.deepEqual(bytesOf(messages), BIG);
});

test('a cancelled transfer says nothing more', async () => {
  let after = 0;
  await run('big', { onMessage: (message, transfer, all) => {
    if (all.length === 4) transfer.cancel();
    if (all.length > 4) after++;
  } });
  assert.equal(after, 0);
});

test('a body that ends short is a failure', async () => {
  for (const name of ['small', 'big']) {
    const messages = await run(name, {
      onMessage: paying,
      behaviour: (response, body) => {
        response.write(body.subarray(0, body.length >> 1), () => response.destroy());
        return 'done';
      },
    });
    assert.equal(messages.at(-1).type, 'fail', name);
  }
});

test('a file of another length than the host said is not begun', async () => {
  const messages = await run('small', { asset: { length: 13 } });
  assert.deepEqual(messages.map(({ type }) => type), ['begin', 'fail']);
});

test('the origin, when the host says so', async () => {
  const messages = await run('small', { asset: { via: 'origin', reason: 'not-listed' } });
  assert.deepEqual(messages, [{ type: 'origin', reason: 'not-listed' }]);
  assert.deepEqual(requests, []);
});

test('credits are bounded whatever a worker claims', async () => {
  const messages = await run('big', { onMessage: (message, transfer) => message.type === 'data' && transfer.credit(1e300) });
  assert.deepEqual(bytesOf(messages), BIG);
});

test('transfers beyond the connections wait for their turn', async () => {
  const slots = new GatewaySlots(LIVES);
  let open = 0;
  let most = 0;
  const behaviour = (response, body) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      response.end(body);
    }, 20);
    return 'done';
  };
  const all = await Promise.all(Array.from({ length: 30 }, () => run('small', { slots, behaviour })));
  assert.ok(all.every(messages => messages.at(-1).type === 'head'));
  assert.equal(most, 6);
});

test('a gateway that stays silent is left alone for a while', async () => {
  const slots = new GatewaySlots(LIVES);
  const silent = { slots, behaviour: () => 'done', onMessage: (message, transfer) => message.type === 'begin' && setTimeout(() => transfer.cancel(true), 50) };
  await Promise.all(Array.from({ length: 6 }, () => run('small', silent)));
  const begin = performance.now();
  const messages = await run('small', { slots });
  assert.deepEqual(messages, [{ type: 'fail', reason: 'busy' }]);
  assert.ok(performance.now() - begin < 4000, 'no turn is awaited');
});
