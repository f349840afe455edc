// Reading the label: RFC 8288 Link headers as servers write them, and as nobody should.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelFromElement, labelFromHeaders, parseLinks } from '../../extension/common/label.js';

const PAGE = 'https://game.example/play/level.html?x=1';
const TARGET = '</.well-known/fringe/release.json>';
const SITE = 'https://game.example';
const label = (...values) => labelFromHeaders(values, PAGE);

test('the label in its usual and unusual forms', () => {
  const expected = { site: SITE, seq: 42 };
  for (const value of [
    `${TARGET}; rel="fringe"; seq=42`,
    `${TARGET};rel=fringe;seq="42"`,
    `${TARGET} ; REL="preload Fringe" ; SEQ=42`,
    `<https://game.example/.well-known/fringe/release.json>; seq=42; rel=fringe`,
    `</style.css>; rel=preload; as=style, ${TARGET}; rel="fringe"; seq=42`,
    `<a>; title="x, <y>; rel=\\"fringe\\""; rel=next, ${TARGET}; rel="fringe"; seq=42`,
    `,, ${TARGET}; rel="fringe"; seq=42; crossorigin`,
  ]) {
    assert.deepEqual(label(value), expected, value);
  }
  assert.deepEqual(label('</x>; rel=preload', `${TARGET}; rel="fringe"; seq=42`), expected, 'a second header');
  assert.deepEqual(label(`${TARGET}; rel="fringe"`), { site: SITE, seq: 0 }, 'no number: whatever is current');
});

test('no label', () => {
  for (const value of [
    '', 'fringe', `${TARGET}`, `${TARGET}; rel="fringed"`, `${TARGET}; rel="next"; rel="fringe"; seq=42`, `${TARGET}; rel="fringe"; seq=-1`,
    `${TARGET}; rel="fringe"; seq=4.2`, `${TARGET}; rel="fringe"; seq=0x2a`, `${TARGET}; rel="fringe"; seq=9007199254740993`,
    `${TARGET}; rel="fringe"; seq=99999999999999999999`, `${TARGET}; rel="fringe"; anchor="/elsewhere"`,
    '<https://other.example/.well-known/fringe/release.json>; rel="fringe"; seq=42', '<//other.example/.well-known/fringe/release.json>; rel="fringe"',
    '</.well-known/fringe/release.json?x>; rel="fringe"', '</release.json>; rel="fringe"; seq=42', `x${TARGET}; rel="fringe"; seq=42`,
    `${TARGET}; rel="fringe"; seq=42; ${'x'.repeat(9000)}`,
  ]) {
    assert.equal(label(value), null, value.slice(0, 80));
  }
  assert.equal(labelFromHeaders([`${TARGET}; rel="fringe"; seq=42`], 'http://game.example/'), null, 'not over plain http');
  assert.equal(labelFromHeaders([undefined, 7, null], PAGE), null);
});

test('a header of very many links ends', () => {
  assert.equal(parseLinks(Array(1000).fill('<x>').join(',')).length, 64);
});

test('time is linear in the length of a hostile header', () => {
  const begin = process.cpuUsage();
  for (const value of ['<'.repeat(8000), `<a>${';'.repeat(8000)}`, `<a>;b="${'\\'.repeat(8000)}`, `<a>${' '.repeat(8000)}`, `<a>;${'b'.repeat(8000)}`]) parseLinks(value);
  // Time of ours, whatever else the machine has to do.
  assert.ok(process.cpuUsage(begin).user < 500_000);
});

test('the label as an element', () => {
  assert.deepEqual(labelFromElement('/.well-known/fringe/release.json', '42', PAGE), { site: SITE, seq: 42 });
  assert.deepEqual(labelFromElement('https://game.example/.well-known/fringe/release.json', undefined, PAGE), { site: SITE, seq: 0 });
  assert.equal(labelFromElement('https://other.example/.well-known/fringe/release.json', '42', PAGE), null);
  assert.equal(labelFromElement('/.well-known/fringe/release.json', 'x', PAGE), null);
});
