// Gateway URLs and ranges, and what of a gateway's answer is believed.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fetchGateway, isGateway, isGatewayUrl, isRange } from '../../extension/common/gateway.js';

const BASE = 'http://127.0.0.1:4567';
const TOKEN = '0123456789abcdef0123456789abcdef';

test('the gateway is this machine and a port', () => {
  for (const text of [BASE, 'http://127.0.0.1:1', 'http://127.0.0.1:65535']) assert.equal(isGateway(text), true, text);
  for (const text of ['http://127.0.0.1', `${BASE}/`, 'http://127.0.0.1:0', 'http://127.0.0.1:65536', 'http://127.0.0.1:04567', 'https://127.0.0.1:1', 'http://localhost:1',
    'http://127.0.0.2:1', 'http://127.0.0.1:1@evil.example', 'http://evil.example/?http://127.0.0.1:1', '', null, 7]) {
    assert.equal(isGateway(text), false, String(text));
  }
});

test('a gateway URL names exactly the path that was asked for', () => {
  assert.equal(isGatewayUrl(`${BASE}/${TOKEN}/42/static/a.js`, BASE, '/static/a.js'), true);
  const wrong = [
    `${BASE}/${TOKEN}/42/static/b.js`, `${BASE}/${TOKEN}/42/static/a.js?x`, `${BASE}/${TOKEN}/42/static/a.js#x`, `${BASE}/${TOKEN}/42//static/a.js`,
    `${BASE}/${TOKEN}/42/x/../static/a.js`, `${BASE}/${TOKEN}/-1/static/a.js`, `${BASE}/${TOKEN}/static/a.js`, `${BASE}/${TOKEN.slice(1)}/42/static/a.js`,
    `${BASE}/${TOKEN.toUpperCase()}/42/static/a.js`, `http://127.0.0.1:45678/${TOKEN}/42/static/a.js`, `https://127.0.0.1:4567/${TOKEN}/42/static/a.js`,
    `http://u@127.0.0.1:4567/${TOKEN}/42/static/a.js`, `${BASE}@evil.example/${TOKEN}/42/static/a.js`, null, 7,
  ];
  for (const url of wrong) assert.equal(isGatewayUrl(url, BASE, '/static/a.js'), false, String(url));
  assert.equal(isGatewayUrl(`${BASE}/${TOKEN}/42/a/../b`, BASE, '/a/../b'), false);
  assert.equal(isGatewayUrl(`http://evil.example/${TOKEN}/42/a`, 'http://evil.example', '/a'), false);
  assert.equal(isGatewayUrl(`${BASE}/${TOKEN}/42/a`, undefined, '/a'), false);
});

test('one range with a first byte is passed on', () => {
  for (const range of ['bytes=0-', 'bytes=5-5', 'bytes=0-999999999999']) assert.equal(isRange(range), true, range);
  for (const range of ['bytes=-5', 'bytes=5-4', 'bytes=0-1,2-3', 'bytes=a-', 'items=0-1', 'bytes=0-1\r\nx: y', 'bytes= 0-1', '', null, 7]) {
    assert.equal(isRange(range), false, String(range));
  }
});

let server;
let answer;
let asked;
before(async () => {
  server = createServer((request, response) => {
    asked = request;
    response.writeHead(...answer.head);
    response.end(answer.body);
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
});
after(() => server.close());

async function get(head, { range, body = 'abc' } = {}) {
  answer = { head, body };
  const result = await fetchGateway(`http://127.0.0.1:${server.address().port}/x`, { range });
  await result.response.arrayBuffer();
  return { start: result.start, length: result.length, total: result.total };
}

test('a whole answer and a part', async () => {
  assert.deepEqual(await get([200, { 'content-length': 3 }]), { start: 0, length: 3, total: 3 });
  assert.equal(asked.headers.range, undefined);
  const part = await get([206, { 'content-length': 3, 'content-range': 'bytes 5-7/10' }], { range: 'bytes=5-' });
  assert.deepEqual(part, { start: 5, length: 3, total: 10 });
  assert.equal(asked.headers.range, 'bytes=5-');
  assert.deepEqual(await get([200, { 'content-length': 0 }], { body: '' }), { start: 0, length: 0, total: 0 });
});

test('an answer that does not fit the question is refused', async () => {
  const part = { 'content-length': 3 };
  const wrong = [
    [[404, { 'content-length': 3 }]],
    [[503, {}]],
    [[302, { location: '/y' }]],
    [[200, {}]],
    [[206, { ...part, 'content-range': 'bytes 0-2/3' }]],
    [[206, { ...part, 'content-range': 'bytes 4-6/10' }], { range: 'bytes=5-' }],
    [[206, { ...part, 'content-range': 'bytes 5-8/10' }], { range: 'bytes=5-' }],
    [[206, { ...part, 'content-range': 'bytes 5-7/7' }], { range: 'bytes=5-' }],
    [[206, { ...part, 'content-range': 'bytes 5-7/*' }], { range: 'bytes=5-' }],
    [[206, part], { range: 'bytes=5-' }],
  ];
  for (const [head, options] of wrong) await assert.rejects(get(head, options), JSON.stringify(head));
});
