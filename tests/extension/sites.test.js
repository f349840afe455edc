// Documents, their releases and zones, and where a file of theirs is to come from. A made-up host answers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assets } from '../../extension/background/assets.js';
import { Sites } from '../../extension/background/sites.js';
import { fakeClock } from '../lib/fake-clock.js';

const SITE = 'https://game.example';
const OTHER = 'https://other.example';
const GATEWAY = 'http://127.0.0.1:4567';
const URL_OF = path => `${GATEWAY}/${'0'.repeat(32)}/42${path}`;
const READY = { zone: 'share', state: 'ready', reason: '', seq: 42, version: '1.0', bases: ['/static/'] };

class FakeHost {
  ready = true;
  info = { gateway: GATEWAY };
  asked = [];
  answers = { 'site.open': ({ seq }) => ({ ...READY, seq: seq || 42 }), 'site.zone': ({ zone }) => ({ zone }), 'doc.close': () => ({}) };
  #states = [];
  #events = [];
  #zones = [];
  onState = listener => this.#states.push(listener);
  onEvent = listener => this.#events.push(listener);
  #health = [];
  onHealth = listener => this.#health.push(listener);
  answering = true;
  doubt = () => this.asked.push({ type: 'doubt' });
  onDefaultZone = listener => this.#zones.push(listener);
  connect = () => this.asked.push({ type: 'connect' });

  async request(type, fields) {
    this.asked.push({ type, ...fields });
    const answer = this.answers[type];
    if (!answer) throw Object.assign(new Error('timeout'), { code: 'timeout' });
    return answer(fields);
  }

  become(ready) {
    this.ready = ready;
    for (const listener of this.#states) listener(ready ? 'ready' : 'crashed');
  }

  healthChanges() {
    for (const listener of this.#health) listener();
  }

  event(message) {
    for (const listener of this.#events) listener(message);
  }

  of(type) {
    return this.asked.filter(request => request.type === type);
  }
}

function make() {
  const host = new FakeHost();
  const sites = new Sites(host);
  return { host, sites, assets: new Assets(host, sites) };
}

const label = (seq = 42, site = SITE) => ({ site, seq });

test('a labelled document is opened at the host, one without is not', async () => {
  const { host, sites } = make();
  const record = sites.navigated(1, label());
  await record.opened;
  assert.equal(record.state, 'ready');
  assert.deepEqual(host.of('site.open').map(({ site, seq, doc }) => [site, seq, doc]), [[SITE, 42, record.doc]]);
  assert.match(record.doc, /^[\x21-\x7e]{1,64}$/);
  const plain = sites.navigated(1, null);
  assert.equal(plain.state, 'unlabelled');
  assert.equal(sites.docOfTab(1), plain);
  assert.equal(host.of('site.open').length, 1);
});

test('a label without a number is pinned to the release the host names', async () => {
  const { sites } = make();
  const record = sites.navigated(1, label(0));
  await record.opened;
  assert.equal(record.seq, 42);
});

const BAD_OPENS = {
  'another release': { seq: 41 }, 'no number': { seq: undefined }, 'a number that is none': { seq: 1.5 }, 'no zone': { zone: 'all' }, 'zone off but ready': { zone: 'off' },
  'no bundles': { bases: [] }, 'bundles out of form': { bases: '/static/' }, 'a bundle that leaves': { bases: ['/../'] }, 'a bundle that is no folder': { bases: ['/static'] },
  'too many bundles': { bases: Array(65).fill('/static/') },
};
for (const [name, fields] of Object.entries(BAD_OPENS)) {
  test(`an answer to site.open with ${name} is a failure`, async () => {
    const { host, sites, assets } = make();
    host.answers['site.open'] = () => ({ ...READY, ...fields });
    const record = sites.navigated(1, label());
    await record.opened;
    assert.equal(record.state, 'failed');
    assert.deepEqual(await assets.locate(record, '/static/a'), { via: 'origin', reason: 'bad-answer' });
    assert.equal(host.of('asset.want').length, 0);
  });
}

const WANTED = { via: 'gateway', url: URL_OF('/static/a'), length: 5, content_type: 'text/plain', etag: '', headers: {} };

test('a small file may come with the answer', async () => {
  const { host, sites, assets } = make();
  const record = sites.navigated(1, label());
  host.answers['asset.want'] = () => ({ ...WANTED, body: btoa('a\xff\0bc') });
  assert.deepEqual([...(await assets.locate(record, '/static/a')).body], [97, 255, 0, 98, 99]);
  assert.equal(host.of('asset.want')[0].inline, 16384);
  host.answers['asset.want'] = () => WANTED;
  assert.equal((await assets.locate(record, '/static/a')).body, null);
});

const BAD_BODIES = { 'too short': btoa('abcd'), 'too long': btoa('abcdef'), 'not base64': 'a-?', 'no text': 5, 'far too long': 'A'.repeat(1 << 16) };
for (const [name, body] of Object.entries(BAD_BODIES)) {
  test(`a file that comes with the answer, ${name}: the origin`, async () => {
    const { host, sites, assets } = make();
    host.answers['asset.want'] = () => ({ ...WANTED, length: name === 'far too long' ? 49152 : 5, body });
    assert.deepEqual(await assets.locate(sites.navigated(1, label()), '/static/a'), { via: 'origin', reason: 'bad-answer' });
  });
}

test('a zone that is off, a release that failed, a host that is away: the origin, without asking', async () => {
  const { host, sites, assets } = make();
  host.answers['site.open'] = () => ({ zone: 'off', state: 'off', reason: 'zone-off' });
  assert.deepEqual(await assets.locate(sites.navigated(1, label()), '/static/a'), { via: 'origin', reason: 'zone-off' });
  host.answers['site.open'] = () => ({ zone: 'share', state: 'failed', reason: 'expired' });
  assert.deepEqual(await assets.locate(sites.navigated(2, label()), '/static/a'), { via: 'origin', reason: 'expired' });
  delete host.answers['site.open'];
  assert.deepEqual(await assets.locate(sites.navigated(3, label()), '/static/a'), { via: 'origin', reason: 'timeout' });
  host.become(false);
  assert.deepEqual(await assets.locate(sites.navigated(4, label()), '/static/a'), { via: 'origin', reason: 'no-host' });
  assert.equal(host.of('connect').length, 1, 'a label is a reason to try the host again');
  assert.equal(host.of('asset.want').length, 0);
});

test('open documents are opened again when the host is back', async () => {
  const { host, sites } = make();
  const record = sites.navigated(1, label());
  await record.opened;
  host.become(false);
  assert.equal(record.state, 'no-host');
  host.become(true);
  await record.opened;
  assert.equal(record.state, 'ready');
  assert.equal(host.of('site.open').length, 2);
});

test('a switched zone reaches every document of the site, whoever switched it', async () => {
  const { host, sites } = make();
  const records = [sites.navigated(1, label()), sites.navigated(2, label())];
  await Promise.all(records.map(record => record.opened));
  const changed = [];
  sites.onChange(site => changed.push(site));
  host.answers['site.open'] = () => ({ zone: 'off', state: 'off', reason: 'zone-off' });
  assert.equal(await sites.setZone(SITE, 'off'), 'off');
  assert.deepEqual(records.map(record => record.state), ['off', 'off']);
  host.answers['site.open'] = () => READY;
  host.event({ event: 'site.changed', site: SITE, zone: 'share' });
  await Promise.all(records.map(record => record.opened));
  assert.deepEqual(records.map(record => record.state), ['ready', 'ready']);
  assert.ok(changed.every(site => site === SITE) && changed.length === 4);
});

test('a page is tied to its tab\'s document, and worth nothing to another site', async () => {
  const { sites } = make();
  const mine = sites.navigated(1, label());
  assert.equal(sites.tiePage(1, OTHER, 'name'), null);
  const waiting = sites.docOfPage(SITE, 'name');
  assert.equal(sites.tiePage(1, SITE, 'name'), mine);
  assert.equal(await waiting, mine, 'the request came first');
  assert.equal(await sites.docOfPage(SITE, 'name'), mine);
  sites.navigated(2, label(1, OTHER));
  assert.equal(await sites.docOfPage(OTHER, 'name'), null);
});

test('a page that never says its name is given up after a moment', async () => {
  const { sites } = make();
  assert.equal(await sites.docOfPage(SITE, 'name'), null, 'no page of that site is open');
  sites.navigated(1, label());
  assert.equal(await sites.docOfPage(SITE, 'other name'), null);
});

test('a page the visitor goes back to has its release again', async () => {
  const { sites } = make();
  const old = sites.navigated(1, label(41));
  sites.tiePage(1, SITE, 'old');
  const young = sites.navigated(1, label(42));
  sites.tiePage(1, SITE, 'young');
  assert.equal(sites.docOfTab(1), young);
  assert.equal(sites.isOpen(old), false);
  assert.equal(sites.tiePage(1, SITE, 'old'), old);
  assert.equal(sites.docOfTab(1), old);
  assert.equal(sites.tiePage(2, SITE, 'young'), null, 'not in another tab');
});

test('a page that is loaded ahead has its own release, and the tab keeps its document until the visitor goes there', async () => {
  const { sites } = make();
  const shown = sites.navigated(1, label());
  sites.loadedAhead(1, 19, label(43));
  sites.loadedAhead(1, 20, null);
  assert.equal(sites.docOfTab(1), shown);
  assert.equal(sites.tiePageAhead(1, 20, SITE, 'unlabelled'), null);
  assert.equal(sites.tiePageAhead(1, 21, SITE, 'unknown'), null);
  assert.equal(sites.tiePageAhead(1, 19, OTHER, 'foreign'), null);
  const ahead = sites.tiePageAhead(1, 19, SITE, 'next');
  await ahead.opened;
  assert.equal(ahead.seq, 43);
  assert.equal(await sites.docOfPage(SITE, 'next'), ahead);
  assert.equal(sites.docOfTab(1), shown);
  assert.equal(sites.tiePage(1, SITE, 'next'), ahead);
  assert.equal(sites.docOfTab(1), ahead);
});

test('a site\'s own worker is remembered for the page it is in charge of', () => {
  const { sites } = make();
  sites.navigated(1, label());
  sites.ownWorkerBegins(1, SITE);
  assert.deepEqual([sites.hasOwnWorker(1, SITE), sites.hasOwnWorker(1, OTHER), sites.hasOwnWorker(2, SITE)], [true, false, false]);
  sites.navigated(1, label());
  assert.equal(sites.hasOwnWorker(1, SITE), false);
  sites.ownWorkerBegins(1, SITE);
  sites.closed(1);
  assert.equal(sites.hasOwnWorker(1, SITE), false);
});

test('a closed tab is forgotten, and the host told', async () => {
  const { host, sites } = make();
  const record = sites.navigated(1, label());
  await record.opened;
  sites.closed(1);
  assert.equal(sites.docOfTab(1), null);
  assert.deepEqual(host.of('doc.close').map(({ doc }) => doc), [record.doc]);
  assert.deepEqual(sites.records(), []);
});

test('documents are forgotten oldest first', () => {
  const { sites } = make();
  for (let tab = 0; tab < 300; tab++) sites.navigated(tab, label());
  assert.equal(sites.records().length, 256);
  assert.equal(sites.docOfTab(0), null);
  assert.ok(sites.docOfTab(299));
});

test('a label in the document counts only where no header gave one', async () => {
  const { sites } = make();
  const first = sites.navigated(1, label(42));
  assert.equal(sites.labelled(1, label(41)), first);
  sites.navigated(1, null);
  assert.equal(sites.labelled(1, label(41)).seq, 41);
});

test('what a restarted background restores', async () => {
  const before = make();
  before.sites.navigated(1, label(41));
  before.sites.navigated(1, label(42));
  before.sites.tiePage(1, SITE, 'name');
  before.sites.navigated(2, null);
  const saved = JSON.parse(JSON.stringify(before.sites.records()));

  const { host, sites } = make();
  const newer = sites.navigated(2, label(1, OTHER));
  sites.restore(saved);
  assert.equal(sites.docOfTab(2), newer);
  const record = sites.docOfTab(1);
  assert.equal(record.seq, 42);
  await record.opened;
  assert.equal(record.state, 'ready');
  assert.equal(await sites.docOfPage(SITE, 'name'), record);
  assert.deepEqual(host.of('site.open').map(({ seq }) => seq).sort(), [1, 42], 'only what the tabs show');
});

const GOOD_WANT = { via: 'gateway', url: URL_OF('/static/a.js'), length: 5, content_type: 'text/javascript; charset=utf-8', headers: {}, etag: '"x"' };

async function locate(want, path = '/static/a.js') {
  const { host, sites, assets } = make();
  host.answers['asset.want'] = () => want;
  return assets.locate(sites.navigated(1, label()), path);
}

test('a file is asked for with its site, release and document', async () => {
  const { host, sites, assets } = make();
  host.answers['asset.want'] = () => GOOD_WANT;
  const record = sites.navigated(1, label());
  const asset = await assets.locate(record, '/static/a.js');
  assert.deepEqual(asset, { via: 'gateway', url: GOOD_WANT.url, length: 5, contentType: GOOD_WANT.content_type, headers: {}, etag: '"x"', body: null });
  assert.deepEqual(host.of('asset.want'), [{ type: 'asset.want', site: SITE, seq: 42, path: '/static/a.js', doc: record.doc, inline: 16384 }]);
});

test('files nobody may ask for', async () => {
  const { host, sites, assets } = make();
  host.answers['asset.want'] = () => GOOD_WANT;
  const record = sites.navigated(1, label());
  assert.equal((await assets.locate(null, '/static/a.js')).reason, 'no-label');
  assert.equal((await assets.locate(sites.navigated(2, null), '/static/a.js')).reason, 'no-label');
  assert.equal((await assets.locate(record, '/private/a.js')).reason, 'not-listed');
  assert.equal((await assets.locate(record, '/static/../a.js')).reason, 'bad-path');
  assert.equal(host.of('asset.want').length, 0);
});

test('answers to asset.want out of form', async () => {
  for (const fields of [{ url: URL_OF('/static/b.js') }, { url: 'http://evil.example/' }, { url: null }, { length: -1 }, { length: 1.5 }, { length: '5' }, { length: 2 ** 41 },
    { content_type: 'x' }, { content_type: 'text/html\r\nx: y' }, { content_type: undefined }]) {
    assert.deepEqual(await locate({ ...GOOD_WANT, ...fields }), { via: 'origin', reason: 'bad-answer' }, JSON.stringify(fields));
  }
  assert.deepEqual(await locate({ via: 'origin', reason: 'not-listed' }), { via: 'origin', reason: 'not-listed' });
  assert.deepEqual(await locate({}), { via: 'origin', reason: 'failed' });
  assert.deepEqual(await locate({ via: 'origin', reason: { x: 1 } }), { via: 'origin', reason: 'failed' });
});

test('only headers a release may set come through', async () => {
  const headers = {
    'Cross-Origin-Embedder-Policy': 'require-corp', 'set-cookie': 'a=b', 'content-length': '1', 'Content-Security-Policy': "default-src 'self'\r\nx: y",
    SourceMap: 'x'.repeat(2000), 'permissions-policy': 7,
  };
  assert.deepEqual((await locate({ ...GOOD_WANT, headers })).headers, { 'Cross-Origin-Embedder-Policy': 'require-corp' });
  assert.deepEqual((await locate({ ...GOOD_WANT, headers: 'x' })).headers, {});
  assert.equal((await locate({ ...GOOD_WANT, etag: 'no quotes' })).etag, '');
});

test('what could not be opened is tried again when the clock, the disk or the network has changed', async () => {
  const { host, sites } = make();
  const opens = host.answers['site.open'];
  host.answers['site.open'] = () => ({ zone: 'share', state: 'failed', reason: 'expired' });
  const record = sites.navigated(1, label());
  await record.opened;
  assert.equal(record.state, 'failed');
  host.answers['site.open'] = opens;
  host.healthChanges();
  await record.opened;
  assert.equal(record.state, 'ready');
  host.healthChanges();
  assert.equal(host.of('site.open').length, 2, 'what is open stays so');
});

test('a page waits for its release once, and then asks whether the host lives', async t => {
  const clock = fakeClock(t);
  const { host, sites, assets } = make();
  let answer;
  host.answers['site.open'] = () => new Promise(resolve => {
    answer = () => resolve(READY);
  });
  const record = sites.navigated(1, label());
  const first = assets.locate(record, '/static/a');
  clock.tick(1200);
  assert.deepEqual(await first, { via: 'origin', reason: 'opening' });
  assert.deepEqual(await assets.locate(record, '/static/b'), { via: 'origin', reason: 'opening' }, 'without any wait');
  assert.ok(host.of('doubt').length > 0);
  answer();
  await record.opened;
  host.answering = false;
  assert.deepEqual(await assets.locate(record, '/static/c'), { via: 'origin', reason: 'not-answering' });
  assert.equal(host.of('asset.want').length, 0);
});
