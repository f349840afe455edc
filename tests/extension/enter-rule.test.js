// Which first visits are redirected to the enter page, and what becomes of those whose enter page is broken.
import assert from 'node:assert/strict';
import { test } from 'node:test';

/** The browser, as far as the rules need it: events to fire, and the addresses that tabs were sent to. */
const fired = {};
const sent = [];
const event = name => ({ addListener: listener => (fired[name] = listener) });
globalThis.chrome = {
  webRequest: { onHeadersReceived: event('headers'), onErrorOccurred: event('error') },
  tabs: { onRemoved: event('removed'), update: async (tab, { url }) => sent.push([tab, url]) },
  storage: { local: { get: async () => ({}), set: async () => {} } },
  declarativeNetRequest: { getDynamicRules: async () => [], updateDynamicRules: async () => {} },
};
const { EnterRule, enterRules, enterTarget } = await import('../../extension/chromium/enter-rule.js');

const GAME = 'https://game.example';
const SHOP = 'https://shop.example:8443';
const ENTER = `${GAME}/.well-known/fringe/enter.html?to=`;

/** Where a labelled document ends up by these rules: a small model of the browser's matching. */
function visit(rules, url) {
  const matching = rules.filter(({ condition }) => {
    if (condition.regexFilter) return new RegExp(condition.regexFilter, 'i').test(url);
    return condition.urlFilter.startsWith('|') ? url.startsWith(condition.urlFilter.slice(1)) : url.includes(condition.urlFilter);
  }).sort((a, b) => b.priority - a.priority);
  const [first] = matching;
  if (first?.action.type !== 'redirect') return url;
  const { regexFilter } = first.condition;
  const [, base, rest] = new RegExp(regexFilter, 'i').exec(url);
  return first.action.redirect.regexSubstitution.replace('\\1', base).replace('\\2', rest);
}

test('by default on: every site once', () => {
  const rules = enterRules('share', new Map(), new Set([SHOP]));
  assert.equal(visit(rules, `${GAME}/a?b=c`), `${GAME}/.well-known/fringe/enter.html?to=/a?b=c`);
  assert.equal(visit(rules, `${SHOP}/a`), `${SHOP}/a`);
  assert.equal(visit(rules, 'https://shop.example/a'), 'https://shop.example/.well-known/fringe/enter.html?to=/a', 'another port is another site');
  const enter = `${GAME}/.well-known/fringe/enter.html?to=/a`;
  assert.equal(visit(rules, enter), enter, 'no loop');
});

test('by default on: not where the visitor said off', () => {
  const rules = enterRules('fetch', new Map([[GAME, 'off'], [SHOP, 'share']]), new Set());
  assert.equal(visit(rules, `${GAME}/`), `${GAME}/`);
  assert.notEqual(visit(rules, `${SHOP}/`), `${SHOP}/`);
});

test('by default off: only where the visitor said so', () => {
  const rules = enterRules('off', new Map([[GAME, 'fetch'], [SHOP, 'off'], ['https://old.example', 'share'], ['nonsense.*', 'share']]), new Set(['https://old.example']));
  assert.equal(visit(rules, `${GAME}/a`), `${GAME}/.well-known/fringe/enter.html?to=/a`);
  for (const url of [`${SHOP}/a`, 'https://gameXexample/a', 'https://game.example.evil.example/a', 'https://old.example/a', 'https://else.example/']) {
    assert.equal(visit(rules, url), url);
  }
});

test('rules have ids of their own, and stay within the browser\'s bounds', () => {
  const many = new Set(Array.from({ length: 1000 }, (_, i) => `https://site${i}.example`));
  const zones = new Map(Array.from({ length: 3000 }, (_, i) => [`https://off${i}.example`, i % 2 ? 'off' : 'share']));
  for (const zone of ['off', 'share']) {
    const rules = enterRules(zone, zones, many);
    assert.equal(new Set(rules.map(rule => rule.id)).size, rules.length);
    assert.ok(rules.filter(rule => rule.condition.regexFilter).length <= 1000);
    assert.ok(rules.length <= 5000);
  }
});

test('the address behind an enter page', () => {
  const at = rest => enterTarget(`${GAME}/.well-known/fringe/enter.html${rest}`);
  assert.equal(at('?to=/a?b=c&d#e'), `${GAME}/a?b=c&d#e`);
  assert.equal(at('?to=//evil.example/'), `${GAME}//evil.example/`, 'a path of the site itself');
  for (const rest of ['', '?to=', '?to=a', '?to=https://evil.example/', '?x=/a', '?to=/.well-known/fringe/enter.html?to=/a']) assert.equal(at(rest), null, rest);
  assert.equal(enterTarget(`${GAME}/?to=/a`), null);
});

test('an enter page that fails sends the tab where the visitor wanted to go, whatever the site redirects to on the way', async () => {
  new EnterRule({ onState: () => {}, onEvent: () => {}, onDefaultZone: () => {}, ready: false });
  const step = async (name, url, details) => {
    fired[name]({ url: `${ENTER}${url}`, tabId: 5, ...details });
    await new Promise(resolve => setImmediate(resolve));
  };
  await step('headers', '/deep', { requestId: '7', statusCode: 302 });
  await step('headers', '/elsewhere', { requestId: '7', statusCode: 302 });
  await step('error', '/elsewhere', { requestId: '7', error: 'net::ERR_TOO_MANY_REDIRECTS' });
  await step('headers', '/fine', { requestId: '8', statusCode: 200 });
  await step('error', '/stopped', { requestId: '9', error: 'net::ERR_ABORTED' });
  await step('error', '/broken', { requestId: '10', error: 'net::ERR_EMPTY_RESPONSE' });
  assert.deepEqual(sent, [[5, `${GAME}/deep`], [5, `${GAME}/broken`]]);
});
