// What visitors read: every language says everything, every text is used, and no word stands in the pages themselves.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../extension', import.meta.url));
const read = path => readFileSync(join(ROOT, path), 'utf8');
const languages = readdirSync(join(ROOT, '_locales'));
const textsOf = language => JSON.parse(read(`_locales/${language}/messages.json`));
const english = textsOf('en');

function filesIn(folder) {
  return readdirSync(join(ROOT, folder)).flatMap(name => {
    const path = join(folder, name);
    return statSync(join(ROOT, path)).isDirectory() ? filesIn(path) : [path];
  });
}
const sources = filesIn('').filter(path => /\.(js|html)$/.test(path));

/** Names in quotes count as used: tables name texts too ("hostMissing" and its help, "hostMissingHelp"). */
function isUsed(name, all) {
  const stem = name.replace(/_(one|other)$/, '').replace(/Help$/, '');
  if (name.startsWith('reason_')) return true;
  if (name.startsWith('problem_') && all.includes(`'${stem.slice('problem_'.length).replace(/_help$/, '').replaceAll('_', '-')}'`)) return true;
  return [name, stem].some(each => all.includes(`'${each}'`) || all.includes(`"${each}"`) || all.includes(`__MSG_${each}__`));
}

test('there is a second language at least', () => assert.ok(languages.length >= 2));

for (const language of languages) {
  const texts = textsOf(language);
  test(`${language}: the same texts with the same placeholders, none empty`, () => {
    assert.deepEqual(Object.keys(texts), Object.keys(english));
    for (const [name, { message, placeholders = {} }] of Object.entries(texts)) {
      assert.ok(message.trim(), name);
      assert.deepEqual(placeholders, english[name].placeholders ?? {}, name);
      const named = [...message.matchAll(/\$([A-Z]+)\$/g)].map(([, placeholder]) => placeholder.toLowerCase());
      assert.deepEqual([...new Set(named)].sort(), Object.keys(placeholders).sort(), name);
    }
  });
}

test('every text that is used exists', () => {
  const used = new Set([...read('manifest.json').matchAll(/__MSG_(\w+)__/g)].map(([, name]) => name));
  for (const path of sources) {
    for (const [, attribute, call] of read(path).matchAll(/data-i18n(?:-\w+)?="(\w+)"|\btext\('(\w+)'/g)) used.add(attribute ?? call);
    for (const [, name] of read(path).matchAll(/\bplural\('(\w+)'/g)) used.add(`${name}_one`).add(`${name}_other`);
  }
  assert.ok(used.size > 30);
  for (const name of used) assert.ok(english[name], name);
});

test('no text is unused', () => {
  const all = [...sources, 'manifest.json'].map(read).join('\n');
  assert.deepEqual(Object.keys(english).filter(name => !isUsed(name, all)), []);
});

test('no page says anything by itself, and nothing is put in as markup', () => {
  for (const path of sources.filter(name => !name.startsWith('site/'))) {
    const source = read(path);
    assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|document\.write/, path);
    if (!path.endsWith('.html')) continue;
    const words = source.replace(/<title>Fringe<\/title>/, '').replace(/<!doctype html>|<[^>]*>/g, '').trim();
    assert.equal(words, '', `${path} says: ${words}`);
  }
});
