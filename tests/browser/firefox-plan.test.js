// Firefox: how one request is answered, in numbers. The decisions are pure functions, so no browser is needed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../../extension/common/gate.js';
import { isImportOfWorker, mendResponseHeaders, planRequest, tinyRequestHeaders, verdict } from '../../extension/firefox/plan.js';
import { Tail } from '../../extension/firefox/source.js';
import { chunksOf, gather } from '../../extension/firefox/stream.js';

const LENGTH = 10_000_000;
const LOCATED = { contentType: 'video/mp4', headers: {} };
const PAGE = 'https://game.example/page';
const WORKER = 'https://game.example/fringe-sw.js?via=filter';

function plan(type, headers = {}, { length = LENGTH, documentUrl = PAGE } = {}) {
  const requestHeaders = Object.entries(headers).map(([name, value]) => ({ name, value }));
  return planRequest({ type, requestHeaders, documentUrl }, length);
}

function headerMap(headers) {
  return Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), value]));
}

test('what shows its status goes out untouched, everything else asks for next to nothing', () => {
  for (const type of ['xmlhttprequest', 'json']) assert.equal(plan(type).tiny, false, type);
  for (const type of ['script', 'image', 'font', 'stylesheet', 'media', 'other']) assert.equal(plan(type).tiny, true, type);
  assert.equal(plan('xmlhttprequest', {}, { documentUrl: WORKER }).tiny, true);
  for (const other of ['https://game.example/fringe-sw.js', 'https://game.example/x/fringe-sw.js?via=filter', `${WORKER}&x`, 'about:blank', undefined]) {
    assert.equal(plan('xmlhttprequest', {}, { documentUrl: other }).tiny, false, other);
  }
});

test('what a worker imports is told by its document', () => {
  const imported = (documentUrl, headers = {}, type = 'script') => {
    const requestHeaders = Object.entries(headers).map(([name, value]) => ({ name, value }));
    return isImportOfWorker({ type, documentUrl, requestHeaders }, new Set(['/static/work']));
  };
  assert.equal(imported('https://game.example/w.js?v=2', { 'Sec-Fetch-Dest': 'script', 'Sec-Fetch-Mode': 'no-cors' }), true);
  assert.equal(imported('https://game.example/w.MJS'), true);
  assert.equal(imported('https://game.example/static/work'), true);
  assert.equal(imported(PAGE, { 'Sec-Fetch-Dest': 'worker', 'Sec-Fetch-Mode': 'cors' }), true, 'of a module worker, whatever its name');
  for (const dest of ['worker', 'sharedworker']) assert.equal(imported(PAGE, { 'Sec-Fetch-Dest': dest, 'Sec-Fetch-Mode': 'same-origin' }), false, 'the worker itself');
  for (const document of [PAGE, 'https://game.example/', 'https://game.example/static/work/', 'about:blank', '', undefined]) assert.equal(imported(document), false, document);
  assert.equal(imported('https://game.example/w.js', { 'Sec-Fetch-Dest': 'script', 'Sec-Fetch-Mode': 'cors' }), false, 'import() in it');
  assert.equal(imported('https://game.example/w.js', {}, 'xmlhttprequest'), false);
});

test('the part that answers', () => {
  const part = (type, range, documentUrl) => {
    const { tiny, ranged, start, last } = plan(type, range ? { Range: range } : {}, { documentUrl }) ?? {};
    return tiny === undefined ? null : [tiny, ranged, start, last];
  };
  assert.deepEqual(part('script'), [true, false, 0, LENGTH - 1]);
  assert.deepEqual(part('xmlhttprequest', 'bytes=5-9', WORKER), [true, true, 5, 9]);
  assert.deepEqual(part('xmlhttprequest', 'bytes=5-', WORKER), [true, true, 5, LENGTH - 1]);
  assert.deepEqual(part('xmlhttprequest', `bytes=5-${LENGTH * 2}`, WORKER), [true, true, 5, LENGTH - 1]);
  assert.equal(part('xmlhttprequest', 'bytes=5-9'), null);
  assert.deepEqual(part('media', 'bytes=100-'), [true, true, 100, 100 + (4 << 20) - 1]);
  assert.deepEqual(part('media', `bytes=${LENGTH - 10}-`), [true, true, LENGTH - 10, LENGTH - 1]);
  for (const odd of ['bytes=-5', 'bytes=9-5', 'bytes=0-1,4-5', 'lines=1-2', `bytes=${LENGTH}-`, 'bytes=', 'bytes=a-b', '']) {
    assert.equal(part('media', odd || ' '), null, odd);
  }
});

test('conditional requests, empty files and double ranges are the origin\'s', () => {
  for (const name of ['If-None-Match', 'if-modified-since', 'If-Range', 'If-Match', 'If-Unmodified-Since']) assert.equal(plan('script', { [name]: 'x' }), null);
  assert.equal(plan('script', {}, { length: 0 }), null);
  assert.equal(plan('media', { Range: 'bytes=0-', range: 'bytes=5-' }), null);
});

test('headers of the tiny request', () => {
  const headers = [{ name: 'Range', value: 'bytes=7-' }, { name: 'accept-encoding', value: 'gzip, br' }, { name: 'Accept', value: '*/*' }];
  assert.deepEqual(headerMap(tinyRequestHeaders(headers, plan('image', { Range: 'bytes=7-' }))),
    { accept: '*/*', range: 'bytes=7-7', 'accept-encoding': 'identity' });
  assert.equal(headerMap(tinyRequestHeaders(headers, plan('media', { Range: 'bytes=7-' }))).range, 'bytes=7-518');
  const end = plan('media', { Range: `bytes=${LENGTH - 3}-` });
  assert.equal(headerMap(tinyRequestHeaders(headers, end)).range, `bytes=${LENGTH - 3}-${LENGTH - 1}`);
});

test('only an answer whose body can be replaced is replaced', () => {
  const verdicts = (one, statuses, headers = []) => statuses.map(status => verdict(one, status, headers));
  const tiny = plan('script');
  const plain = plan('xmlhttprequest');
  assert.deepEqual(verdicts(tiny, [206, 200, 304, 404, 416, 302, 503]), ['replace', 'pass', 'pass', 'pass', 'pass', 'pass', 'pass']);
  assert.deepEqual(verdicts(tiny, [206, 200], [{ name: 'Content-Encoding', value: 'gzip' }]), ['again', 'pass']);
  assert.deepEqual(verdicts(plain, [200, 206, 304, 404, 302, 503]), ['replace', 'pass', 'wait', 'pass', 'pass', 'pass']);
});

test('headers of the answer as if the origin had sent it all', () => {
  const origin = (headers = {}) => Object.entries({ 'Content-Type': 'text/css', 'Content-Range': `bytes 0-0/${LENGTH}`, ETag: '"x"', ...headers })
    .map(([name, value]) => ({ name, value }));
  const mended = (one, headers) => headerMap(mendResponseHeaders(origin(headers), one, LOCATED));
  assert.deepEqual(mended(plan('stylesheet')), { 'content-type': 'text/css', 'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}`, etag: '"x"' });
  assert.equal(mended(plan('media', { Range: 'bytes=5-9' }))['content-range'], `bytes 5-9/${LENGTH}`);
  assert.equal(mended(plan('media', { Range: 'bytes=0-' }), { 'Content-Type': 'application/octet-stream' })['content-type'], 'video/mp4');
  assert.equal(mended(plan('script'), { 'Content-Type': 'application/octet-stream' })['content-type'], 'application/octet-stream');
  assert.deepEqual(mendResponseHeaders(origin(), plan('xmlhttprequest'), LOCATED), origin());
  const needs = { ...LOCATED, headers: { 'Cross-Origin-Embedder-Policy': 'require-corp', ETag: '"not this"' } };
  const all = headerMap(mendResponseHeaders(origin(), plan('xmlhttprequest'), needs));
  assert.deepEqual([all['cross-origin-embedder-policy'], all.etag], ['require-corp', '"x"']);
});

test('a gate lets so many in, the others in order, and nobody waits for ever', async () => {
  const gate = new Gate(2);
  const first = await gate.enter(60_000);
  await gate.enter(60_000);
  const order = [];
  const waiting = ['a', 'b'].map(name => gate.enter(60_000).then(leave => (order.push(name), leave)));
  assert.equal(await gate.enter(10), null);
  first();
  first();
  (await waiting[0])();
  await waiting[1];
  assert.deepEqual(order, ['a', 'b']);
});

test('a body is exactly as long as it should be, or an error after what was right', async () => {
  const read = async (text, length) => {
    const chunks = [];
    try {
      for await (const chunk of chunksOf(new Response(text), length, 60_000)) chunks.push(Buffer.from(chunk));
    } catch (error) {
      return [Buffer.concat(chunks).toString(), error.message];
    }
    return Buffer.concat(chunks).toString();
  };
  assert.equal(await read('abcdef', 6), 'abcdef');
  assert.deepEqual(await read('abcdef', 9), ['abcdef', 'the body ended short']);
  assert.deepEqual(await read('abcdef', 3), ['', 'the body is too long']);
  const silent = new Response(new ReadableStream({ start: controller => controller.enqueue(new Uint8Array(2)) }));
  await assert.rejects(async () => { for await (const chunk of chunksOf(silent, 4, 50)) assert.equal(chunk.length, 2); }, /in time/);
});

test('gathering stops at its time and loses nothing', async () => {
  async function* slow() {
    for (const value of [1, 2, 3]) {
      yield value;
      await new Promise(resolve => setTimeout(resolve, 60));
    }
  }
  assert.deepEqual(await gather(slow(), 60_000), { held: [1, 2, 3], rest: null });
  const { held, rest } = await gather(slow(), 0);
  assert.deepEqual(held, [1]);
  const others = [];
  for await (const value of rest) others.push(value);
  assert.deepEqual(others, [2, 3]);
});

test('the tail is the last 64 KiB, however they came', () => {
  const all = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
  for (const step of [1000, 65536, 65537, 200_000, 300_000]) {
    const tail = new Tail();
    for (let at = 0; at < all.length; at += step) tail.push(all.subarray(at, at + step));
    assert.deepEqual(tail.bytes(), all.subarray(-65536), String(step));
  }
  const short = new Tail();
  short.push(all.subarray(0, 10));
  assert.deepEqual(short.bytes(), all.subarray(0, 10));
});
