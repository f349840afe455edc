// The options page's log without a browser: which lines are read again, what the host's words are held to, the files that are saved.
import assert from 'node:assert/strict';
import { test } from 'node:test';

globalThis.chrome = { runtime: { id: 'test' } };
const { readAll, readNewest } = await import('../../extension/options/lines.js');
const { toCsv, toJson } = await import('../../extension/options/formats.js');
const { checkPage } = await import('../../extension/background/log.js');

const numbers = lines => lines.map(({ n }) => n);
const down = (from, to) => Array.from({ length: from - to + 1 }, (_, i) => ({ n: from - i }));

/** A log of lines, newest first, that counts what is asked of it. */
function logOf(lines) {
  const asked = [];
  const readPage = async ({ before, limit }) => {
    asked.push(limit);
    return { why: '', lines: lines.filter(({ n }) => !before || n < before).slice(0, limit) };
  };
  return { asked, readPage };
}

async function read(lines, known, wanted) {
  const log = logOf(lines);
  const { lines: got } = await readNewest(log.readPage, known, wanted);
  return { got: numbers(got), asked: log.asked };
}

test('the newest lines, and one more when there are more', async () => {
  assert.deepEqual(await read([], [], 100), { got: [], asked: [101] });
  assert.deepEqual(await read(down(3, 1), [], 100), { got: [3, 2, 1], asked: [101] });
  assert.deepEqual((await read(down(500, 1), [], 100)).got, numbers(down(500, 400)));
  assert.deepEqual((await read(down(500, 1), [], 300)).got, numbers(down(500, 200)));
  assert.deepEqual((await read(down(200, 1), [], 200)).got, numbers(down(200, 1)));
});

test('what is known is not read again; more of it is, and so is a gap', async () => {
  assert.deepEqual(await read(down(502, 1), down(500, 400), 100), { got: numbers(down(502, 402)), asked: [50] });
  assert.deepEqual((await read(down(500, 1), down(500, 400), 200)).got, numbers(down(500, 300)));
  assert.deepEqual((await read(down(700, 1), down(500, 400), 300)).got, numbers(down(700, 400)));
});

test('what has gone from the log goes here, too', async () => {
  assert.deepEqual((await read([], down(500, 400), 100)).got, []);
  assert.deepEqual((await read(down(510, 505), down(500, 400), 100)).got, numbers(down(510, 505)));
  assert.deepEqual((await read(down(80, 1), down(500, 400), 100)).got, numbers(down(80, 1)), 'begun anew');
  assert.deepEqual((await read(down(900, 1), down(5000, 4900), 100)).got, numbers(down(900, 800)), 'begun anew');
});

test('all of it, with progress', async () => {
  const said = [];
  assert.equal((await readAll(logOf(down(450, 1)).readPage, number => said.push(number))).length, 450);
  assert.deepEqual(said, [200, 400, 450]);
});

test('CSV: no formulas, no broken cells; JSON reads back', () => {
  const line = { n: 1, time: 1800000000, kind: 'peers', site: '=cmd()', path: '/a "b",\n\u0000c', seq: 2, bytes: 3, size: 4, peer: '' };
  assert.equal(toCsv([line]), 'time,kind,site,path,release,bytes,size,peer\r\n2027-01-15T08:00:00Z,"peers","\'=cmd()","/a ""b"",  c",2,3,4,""\r\n');
  assert.match(toCsv([{ ...line, time: 2 ** 52 }]), /\r\n,"peers"/);
  assert.deepEqual(JSON.parse(toJson([line, line])), [line, line]);
  assert.deepEqual(JSON.parse(toJson([])), []);
});

test('the host\'s words are held to their shape', () => {
  const good = { n: 1, time: 2, kind: 'shared', site: 'https://a.example', path: '/x', seq: 3, bytes: 4, size: 5, peer: null };
  const odd = [null, 7, {}, { ...good, n: -1 }, { ...good, kind: 'other' }, { ...good, n: '1' }];
  assert.deepEqual(checkPage({ kept: true, lines: [...odd, good] }), { why: '', lines: [{ ...good, peer: '' }] });
  const [line] = checkPage({ kept: true, lines: [{ ...good, site: 7, path: 'x'.repeat(1e5), bytes: -1, peer: {} }] }).lines;
  assert.deepEqual([line.site, line.path.length < 1e4, line.bytes, line.peer], ['', true, 0, '']);
  assert.deepEqual(checkPage({}), { why: 'disk', lines: [] });
  assert.deepEqual(checkPage({ kept: false, why: 'setting', lines: 'x' }), { why: 'setting', lines: [] });
  assert.equal(checkPage({ kept: true, lines: Array(500).fill(good) }).lines.length, 200);
});
