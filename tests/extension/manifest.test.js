// The manifest fits what lies beside it: files, texts, the fixed ids of the native-messaging templates.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const at = path => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = path => readFileSync(at(path), 'utf8');
const manifest = JSON.parse(read('extension/manifest.json'));
const messages = JSON.parse(read('extension/_locales/en/messages.json'));

test('every file that is named is there', () => {
  const named = [
    manifest.background.service_worker, ...manifest.background.scripts, manifest.action.default_popup, manifest.options_ui.page, ...Object.values(manifest.icons),
    ...manifest.content_scripts.flatMap(({ js }) => js), ...manifest.web_accessible_resources.flatMap(({ resources }) => resources),
  ];
  for (const name of named) assert.ok(existsSync(at(`extension/${name}`)), name);
});

test('the ids are those the native host lets in', () => {
  assert.equal(manifest.key, read('manifests/chromium-key.pub.txt').trim());
  const digest = createHash('sha256').update(Buffer.from(manifest.key, 'base64')).digest('hex').slice(0, 32);
  const id = [...digest].map(digit => String.fromCharCode('a'.charCodeAt(0) + parseInt(digit, 16))).join('');
  assert.ok(read('manifests/org.fringe.host.chromium.json.in').includes(`chrome-extension://${id}/`));
  assert.ok(read('manifests/org.fringe.host.firefox.json.in').includes(`"${manifest.browser_specific_settings.gecko.id}"`));
});

test('extension and host have one version', () => {
  assert.equal(/^project\(fringe VERSION (\S+) /m.exec(read('CMakeLists.txt'))[1], manifest.version);
});

test('nothing in private windows, and only the bridge is open to pages', () => {
  assert.equal(manifest.incognito, 'not_allowed');
  assert.equal(manifest.options_ui.open_in_tab, true);
  assert.deepEqual(manifest.web_accessible_resources.flatMap(({ resources }) => resources), ['chromium/bridge.html']);
  assert.equal(manifest.externally_connectable, undefined);
  assert.equal(manifest.content_security_policy, undefined, 'the browsers\' own is the strictest');
});

test('the reasons of the protocol have a text each', () => {
  const [, list] = /`reason` is one of: ([^.]*)\./s.exec(read('host/PROTOCOL.md').replaceAll('\n', ' '));
  const reasons = [...list.matchAll(/`([a-z-]+)`/g)].map(([, reason]) => reason);
  // These two say themselves otherwise: the zone as "switched off", a single file not at all.
  const shown = reasons.filter(reason => !['zone-off', 'not-listed'].includes(reason));
  assert.ok(shown.length > 5);
  for (const reason of shown) assert.ok(messages[`reason_${reason.replaceAll('-', '_')}`], reason);
});

test('the site worker has exactly one line that publish replaces', () => {
  const worker = read('extension/site/fringe-sw.js');
  assert.equal(worker.match(/^const CONFIG = \{.*\}; \/\/ written by fringe publish$/gm)?.length, 1);
  assert.doesNotMatch(read('extension/site/enter.html'), /<script/i);
});
