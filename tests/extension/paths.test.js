// What counts as a site and as a path, and what never does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assetPath, isPath, isSite, isUnder, siteOf } from '../../extension/common/paths.js';

test('a site is an https origin, or http on this machine', () => {
  assert.equal(siteOf('https://Game.example:443/a?b#c'), 'https://game.example');
  assert.equal(siteOf('https://game.example:8443/'), 'https://game.example:8443');
  assert.equal(siteOf('http://localhost:8080/x'), 'http://localhost:8080');
  assert.equal(siteOf('http://127.0.0.1/'), 'http://127.0.0.1');
  assert.equal(siteOf('http://[::1]:1/'), 'http://[::1]:1');
  for (const url of ['http://game.example/', 'ftp://game.example/', 'chrome-extension://abc/', 'about:blank', 'data:,', '', 'x', null, 7,
    `https://${'a.'.repeat(200)}example/`]) {
    assert.equal(siteOf(url), null, String(url).slice(0, 60));
  }
});

test('a site is written in one way only', () => {
  assert.equal(isSite('https://game.example'), true);
  for (const text of ['https://game.example/', 'https://Game.example', 'https://game.example:443', 'https://u@game.example', 'http://game.example', '']) {
    assert.equal(isSite(text), false, text);
  }
});

test('paths in normal form pass', () => {
  for (const path of ['/', '/static/', '/static/a.js', '/a/b-c_d~e/f.g,h;i=j', '/caf%C3%A9.png', '/a%20b', '/.hidden', '/a..b', '/...', '/@x/$y', "/it's(1)!*+&:"]) {
    assert.equal(isPath(path), true, path);
  }
});

test('paths that could lead elsewhere do not', () => {
  for (const path of ['', 'a', 'static/a', '//host/a', '/a//b', '/a/../b', '/..', '/.', '/a/.', '/a/..', '/./a', '/%2e%2e/a', '/%2E./a', '/a%2fb', '/a%2Fb', '/a%5cb',
    '/a\\b', '/a?b', '/a#b', '/a b', '/\u00e9', '/a%', '/a%4', '/a%zz', '/a%00', '/a%0d%0a', '/a\n', '/a<b', '/a"b', '/a`b', '/a|b', '/a{b', '/a^b', `/${'x'.repeat(2048)}`,
    null, undefined, 1, {}, ['/a']]) {
    assert.equal(isPath(path), false, String(path).slice(0, 40));
  }
});

test('the path of an URL counts for its own site, without a query', () => {
  const site = 'https://game.example';
  assert.equal(assetPath('https://game.example/static/a.js', site), '/static/a.js');
  assert.equal(assetPath('https://game.example/static/a.js#part', site), '/static/a.js');
  assert.equal(assetPath('https://game.example/static/x/../a.js', site), '/static/a.js', 'the browser has normalised it');
  for (const url of ['https://game.example/a?b', 'https://game.example/a?', 'https://other.example/a', 'http://game.example/a', 'https://game.example:8443/a',
    'https://user@game.example/a', 'https://game.example//a', 'https://game.example/a%2f..', 'nonsense', null]) {
    assert.equal(assetPath(url, site), null, String(url));
  }
});

test('a path lies under a bundle when a name follows the base', () => {
  assert.equal(isUnder('/static/a', ['/x/', '/static/']), true);
  assert.equal(isUnder('/static/', ['/static/']), false);
  assert.equal(isUnder('/staticx/a', ['/static/']), false);
  assert.equal(isUnder('/static/a', []), false);
});
