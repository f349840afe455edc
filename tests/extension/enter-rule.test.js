// Which first visits are redirected to the enter page, and what becomes of those whose enter page is broken.
import assert from 'node:assert/strict';
import { test } from 'node:test';

/** The browser, as far as the rules need it: events to fire, and the addresses that tabs were sent to. */
const fired = {};
const sent = [];
const event = name => ({ addListener: listener => (fired[name] = listener) });
const stored = {};
let full = false;
let rules = [];
let refuses = false;
let tab = { url: 'about:blank', status: 'loading' };
globalThis.chrome = {
  webRequest: { onBeforeRedirect: event('redirect'), onErrorOccurred: event('error') },
  tabs: { onRemoved: event('removed'), get: async () => tab, update: async (id, { url }) => sent.push([id, url]) },
  storage: {
    local: {
      get: async () => structuredClone(stored),
      set: async values => {
        if (full) throw new Error('no room');
        Object.assign(stored, structuredClone(values));
      },
    },
  },
  declarativeNetRequest: {
    getSessionRules: async () => rules,
    updateSessionRules: async ({ addRules }) => {
      if (refuses && addRules.length) throw new Error('refused');
      rules = addRules;
    },
  },
};
const { EnterRule, enterRules, enterTarget } = await import('../../extension/chromium/enter-rule.js');

const GAME = 'https://game.example';
const SHOP = 'https://shop.example:8443';
const ENTER = `${GAME}/.well-known/fringe/enter.html?to=`;

/** Where a labelled document ends up by these rules: a small model of the browser's matching. */
function visit(rules, url) {
  const matching = rules.filter(({ condition }) => {
    if (condition.excludedResponseHeaders?.[0].header === 'content-type' || condition.responseHeaders?.[0].header === 'location') return false; // it is HTML
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

const DAY = 24 * 60 * 60 * 1000;
const done = () => new Promise(resolve => setTimeout(resolve, 1));
const asked = [];
const readyHost = {
  onState: () => {}, onEvent: () => {}, onDefaultZone: () => {}, ready: true, info: { defaultZone: 'share' },
  request: async (type, { site, seq }) => asked.push([type, site, seq]),
};
const isEntered = () => visit(rules, `${GAME}/`) !== `${GAME}/`;

/** Our rule redirects a request of tab 5 to the enter page of `path`. */
const comes = (path, requestId, fields) => fired.redirect({ url: GAME + path, redirectUrl: `${ENTER}${path}`, tabId: 5, requestId, ...fields });

test('the host is asked for the release while the worker is being registered', async () => {
  new EnterRule(readyHost);
  asked.length = 0;
  comes('/page', '5');
  comes('/prerendered', '6', { documentLifecycle: 'prerender' });
  assert.deepEqual(asked, [['site.open', GAME, 0]]);
  fired.error({ url: `${ENTER}/page`, tabId: 5, requestId: '5', error: 'net::ERR_ABORTED' });
  await done();
});

test('an enter page that fails sends the tab where the visitor wanted to go, whatever the site redirects to on the way', async () => {
  new EnterRule(readyHost);
  comes('/deep', '7');
  fired.redirect({ url: `${ENTER}/deep`, redirectUrl: `${GAME}/elsewhere`, tabId: 5, requestId: '7' });
  comes('/elsewhere', '7');
  fired.redirect({ url: `${ENTER}/elsewhere`, redirectUrl: `${GAME}/elsewhere/again`, tabId: 5, requestId: '7' });
  fired.error({ url: `${ENTER}/elsewhere`, tabId: 5, requestId: '7', error: 'net::ERR_TOO_MANY_REDIRECTS' });
  await done();
  comes('/stopped', '9');
  fired.error({ url: `${ENTER}/stopped`, tabId: 5, requestId: '9', error: 'net::ERR_ABORTED' });
  comes('/broken', '10');
  fired.error({ url: `${ENTER}/broken`, tabId: 5, requestId: '10', error: 'net::ERR_EMPTY_RESPONSE' });
  await done();
  assert.deepEqual(sent.splice(0), [[5, `${GAME}/deep`], [5, `${GAME}/broken`]]);
});

test('what is fetched ahead sends no tab anywhere, nor does an enter page that somebody else opened', async () => {
  new EnterRule(readyHost);
  tab = { url: 'https://elsewhere.example/', status: 'complete' };
  comes('/ahead', '20');
  fired.error({ url: `${ENTER}/ahead`, tabId: 5, requestId: '20', error: 'net::ERR_EMPTY_RESPONSE' });
  await done();
  comes('/prerendered', '21', { documentLifecycle: 'prerender' });
  fired.error({ url: `${ENTER}/prerendered`, tabId: 5, requestId: '21', error: 'net::ERR_EMPTY_RESPONSE' });
  await done();
  tab = { url: 'about:blank', status: 'loading' };
  fired.error({ url: `${ENTER}/linked`, tabId: 5, requestId: '22', error: 'net::ERR_EMPTY_RESPONSE' });
  await done();
  assert.deepEqual(sent, []);
});

test('a site is tried once a day until its worker has come, and never after that', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1.8e12 });
  delete stored.entered;
  const rule = new EnterRule(readyHost);
  await rule.tried(GAME);
  assert.equal(isEntered(), false);
  t.mock.timers.setTime(1.8e12 + DAY + 1);
  await new EnterRule(readyHost).tried(SHOP);
  assert.equal(isEntered(), true, 'the next day, in another run');
  t.mock.timers.setTime(1.8e12 - 400 * DAY);
  await new EnterRule(readyHost).tried('https://third.example');
  assert.equal(isEntered(), true, 'the clock was wrong');
  await rule.entered(GAME);
  t.mock.timers.setTime(1.8e12 + 4000 * DAY);
  await new EnterRule(readyHost).tried(SHOP);
  assert.equal(isEntered(), false);
});

test('nobody is redirected again when nothing can be stored, the store is damaged, or the browser refuses the rules', async () => {
  full = true;
  delete stored.entered;
  const rule = new EnterRule(readyHost);
  await rule.tried(GAME);
  assert.equal(isEntered(), false);
  full = false;
  for (const garbage of ['text', 7, [GAME], { [GAME]: 'soon', nonsense: 0, 'https://x.example': -1 }, null]) {
    stored.entered = garbage;
    await new EnterRule(readyHost).tried(SHOP);
    assert.equal(isEntered(), true, JSON.stringify(garbage));
  }
  refuses = true;
  await rule.tried('https://third.example');
  assert.deepEqual(rules, [], 'rather none at all');
});
