// The documents against the code: what they name is there, and what must be named is.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const REPO = fileURLToPath(new URL('../..', import.meta.url));
const read = path => readFileSync(join(REPO, path), 'utf8');
const isOurs = name => !/^(build(-[a-z]+)?|b-[a-z]+|node_modules|demo|\.git|\.cache|__pycache__)$/.test(name);

function walk(folder = '') {
  return readdirSync(join(REPO, folder), { withFileTypes: true }).filter(({ name }) => isOurs(name)).flatMap(entry => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [path, ...walk(path)] : [path];
  });
}
const paths = walk();
const names = new Set(paths.map(path => basename(path)));
const documents = paths.filter(path => path.endsWith('.md'));
const asPattern = glob => new RegExp(`^${glob.replace(/[.+?^$()|[\]\\]/g, '\\$&').replace(/\{([^}]*)\}/g, (_, list) => `(${list.replaceAll(',', '|')})`).replaceAll('*', '[^/]*')}$`);

// Names of files on a site, in a browser, on a disk or in an example; no file of ours.
const NOT_OURS = /^(release\.json|key\.pub|history\.json|old\.key|mykey\.key|game\.key|minisign\.key|x\.dcz|old\.minisig|daemon\.sock|supernode\.sock|compile_commands\.json|fringe\.conf|game\.conf|package-lock\.json|a\.js|test_x\.py|org\.fringe\.host\.json|app\.3f2a91c4\.js)$/;
const SUFFIX = /\.(c|h|js|mjs|py|md|html|css|json|sh|cfg|txt|service|conf|cmake|in|svg|png)$/;

/** What a document has in backquotes, and its indented or fenced lines. */
function* spans(text) {
  const fenced = /^```[^\n]*\n(.*?)^```$/gms;
  for (const [, code] of text.matchAll(fenced)) yield code;
  const rest = text.replace(fenced, '');
  for (const [line] of rest.matchAll(/^ {4}.*$/gm)) yield line;
  for (const [, span] of rest.matchAll(/`([^`]+)`/g)) yield span;
}

function isThere(word, from) {
  const places = ['', dirname(from), 'host', 'tests', 'extension', 'installer', ...['base', 'wire', 'core', 'io', 'app', 'native'].map(layer => `host/${layer}`)];
  if (word.includes('/')) return places.some(place => paths.some(path => asPattern(join(place, word)).test(path)));
  return word.includes('*') ? [...names].some(name => asPattern(word).test(name)) : names.has(word);
}

test('every file that a document names is there', () => {
  const missing = [];
  for (const document of documents.filter(path => path !== 'host/PUBLISHING.md')) {
    for (const span of spans(read(document))) {
      for (const [word] of span.matchAll(/[\w.*{},/-]+(?![\w.*{},/(-])/g)) {
        const name = word.replace(/[.,]+$/, '');
        const looksLikeFile = SUFFIX.test(name) || /^(host|tests|extension|installer|manifests)\/[\w/.-]+$/.test(name);
        if (!looksLikeFile || /^[./]|[A-Z]{4}|^https?:|^build|^webroot|^\*?\.\w+$/.test(name) || NOT_OURS.test(basename(name))) continue;
        if (!isThere(name.replace(/\/$/, ''), document)) missing.push(`${document}: ${name}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});

test('every link inside the repository leads somewhere', () => {
  const missing = [];
  for (const document of documents) {
    for (const [, target] of read(document).replace(/^```.*?^```$/gms, '').matchAll(/(?:\]\(|src=")([^)"#\s]+)/g)) {
      if (!/^https?:/.test(target) && !existsSync(join(REPO, dirname(document), target))) missing.push(`${document}: ${target}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('ARCHITECTURE.md names every folder and module of the host; a file that is no module is named by one', () => {
  const tour = read('host/ARCHITECTURE.md');
  const [, modules] = /\n### Modules\n(.*?)\n## /s.exec(tour);
  const files = paths.filter(path => /^host\/\w+\/.*\.[ch]$/.test(path));
  const stem = path => basename(path).replace(/\.[ch]$/, '');
  const headers = files.filter(path => path.endsWith('.h'));
  const named = `${tour}\n${headers.map(path => read(path).split('*/')[0]).join('\n')}`;
  for (const folder of new Set(files.map(dirname))) assert.ok(tour.includes(`\`${basename(folder)}/\``), folder);
  for (const path of headers) if (!/_(impl|private)\.h$/.test(path)) assert.ok(modules.includes(`\`${stem(path)}\``), `${path} is not among the modules in ARCHITECTURE.md`);
  const lost = files.filter(path => path.endsWith('.c') && !/\/(cmd_\w+|main)\.c$/.test(path))
    .filter(path => !headers.includes(path.replace(/c$/, 'h')) && !new RegExp(`\\b${stem(path)}\\b`).test(named));
  assert.deepEqual(lost, [], 'no header and not ARCHITECTURE.md says what these are');
});

test('functions, events and effects that ARCHITECTURE.md names are in the code', () => {
  const code = paths.filter(path => /^host\/.*\.[ch]$/.test(path)).map(read).join('\n');
  const tour = read('host/ARCHITECTURE.md');
  const words = new Set([...tour.matchAll(/\b(?:EFFECT|EVENT)_[A-Z_]+\b/g)].map(([word]) => word));
  for (const [, span] of tour.matchAll(/`([^`\n]+)`/g)) for (const [word] of span.matchAll(/(?<![\w/.*-])[a-z]+_[a-z_0-9]+(?![\w.*/-])/g)) words.add(word);
  assert.ok(words.size > 40, String(words.size));
  assert.deepEqual([...words].filter(word => !new RegExp(`\\b${word}\\b`).test(code) && !names.has(`${word}.h`) && !names.has(`${word}.c`)), []);
});

test('the folders of the extension and the tests are in their tables', () => {
  const folders = parent => readdirSync(join(REPO, parent), { withFileTypes: true }).filter(entry => entry.isDirectory() && isOurs(entry.name)).map(entry => entry.name);
  for (const name of folders('extension').filter(name => name !== 'icons')) assert.ok(read('extension/README.md').includes(`\`${name}/\``), name);
  for (const name of folders('tests')) assert.match(read('tests/README.md'), new RegExp(`^\\|.*\`${name}/`, 'm'));
});

test('every limit that a document names is one, and so are commands, options and benches', () => {
  const limits = read('host/base/limits.h');
  const app = paths.filter(path => /^host\/app\/.*\.c$/.test(path)).map(read).join('\n');
  const commands = new Set([...read('host/app/main.c').matchAll(/\{"([a-z-]+)", "[^"]*", cmd_/g)].map(([, name]) => name));
  assert.ok(commands.size > 10);
  const wrong = [];
  for (const document of documents.filter(path => !path.startsWith('tests/browser'))) {
    const text = read(document);
    for (const [name] of text.matchAll(/\bLIMIT_[A-Z0-9_]+\b/g)) if (!new RegExp(`\\b${name}\\b`).test(limits)) wrong.push(`${document}: ${name}`);
    for (const span of spans(text)) {
      for (const [, command, rest] of span.replaceAll('\\\n', ' ').matchAll(/(?:^|[\s$(;&|])fringe ([a-z][a-z-]*)([^\n;&|#]*)/g)) {
        if (!commands.has(command)) wrong.push(`${document}: fringe ${command}`);
        for (const [option] of rest.replace(/ {3,}.*/, '').matchAll(/--[a-z][a-z-]*/g)) if (!app.includes(`"${option.slice(2)}"`)) wrong.push(`${document}: fringe ${command} ${option}`);
      }
      for (const [, bench] of span.matchAll(/tests\/bench\/run ([a-z][a-z0-9-]*)/g)) if (!existsSync(join(REPO, `tests/bench/${bench}.py`))) wrong.push(`${document}: bench ${bench}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('PROTOCOL.md has every message of the API, and no other', () => {
  const protocol = read('host/PROTOCOL.md');
  const api = read('host/wire/api.c');
  const requests = [...api.matchAll(/\[API_[A-Z_]+\] = \{"([a-z.]+)", /g)].map(([, name]) => name).sort();
  const [, table] = /\| type \| request \| answer \|\n\| --- [^\n]*\n(.*?)\n\n/s.exec(protocol);
  assert.deepEqual([...table.matchAll(/^\| `([a-z.]+)` \|/gm)].map(([, name]) => name).sort(), requests);

  const sources = paths.filter(path => /^host\/.*\.c$/.test(path)).map(read).join('\n');
  const events = [...sources.matchAll(/api_event_begin\(([^;]*)\);/g)].flatMap(([, names]) => [...names.matchAll(/"([a-z.]+)"/g)].map(([, name]) => name));
  assert.ok(events.length >= 3);
  for (const name of events) assert.ok([`Event \`${name}\``, `\`${name}\` {`].some(words => protocol.includes(words)), name);

  const [, codes] = /^Error codes: ([^\n]*)\./m.exec(protocol);
  const known = [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code);
  for (const [, code] of api.matchAll(/return "([a-z]+-[a-z]+)";/g)) assert.ok(known.includes(code), code);

  const answers = paths.filter(path => /^host\/(core|io|app)\/.*\.c$/.test(path)).flatMap(path => [...read(path).matchAll(/api_answer_[a-z_]+\(\s*\w+,\s*"([a-z_]+)"/g)].map(([, key]) => key));
  assert.ok(answers.length > 50);
  for (const key of new Set(answers)) assert.ok(protocol.includes(`\`${key}\``), `the key ${key} of an answer`);

  const asked = new Set(paths.filter(path => /^extension\/.*\.js$/.test(path)).flatMap(path => [...read(path).matchAll(/host\.request\('([a-z.]+)'/g)].map(([, name]) => name)));
  assert.ok(asked.size > 5);
  for (const name of asked) assert.ok(requests.includes(name), name);
});

test('PROTOCOL.md has every setting, zone, source, reason and state that the host can say', () => {
  const protocol = read('host/PROTOCOL.md');
  const wordsIn = (file, from) => {
    const found = from.exec(read(file));
    assert.ok(found, `${file}: ${from}`);
    return [...found[1].matchAll(/"([a-z_-]+)"/g)].map(([, word]) => word);
  };
  const lists = {
    settings: wordsIn('host/wire/api.c', /settings\[SETTING_COUNT_\] = \{(.*?)\n\};/s),
    zones: wordsIn('host/wire/api.c', /zones\[\] = \{(.*?)\};/s),
    sources: wordsIn('host/wire/api.c', /sources\[.*?\] = \{(.*?)\};/s),
  };
  for (const [kind, words] of Object.entries(lists)) {
    assert.ok(words.length >= 3, kind);
    for (const word of words) assert.ok(protocol.includes(`\`${word}\``) || protocol.includes(`"${word}"`), `${kind}: ${word}`);
  }
});

test('PROTOCOL.md has every peer message with its number', () => {
  const [, table] = /\| id \| message \| body \| length \|\n\| --- [^\n]*\n(.*?)\n\n/s.exec(read('host/PROTOCOL.md'));
  const documented = {};
  for (const [, ids, messages] of table.matchAll(/^\| ([\d, ]+) \| ([a-z, ]+) \|/gm)) {
    const each = messages.split(', ');
    ids.split(', ').forEach((id, i) => { documented[each[i].toUpperCase().replaceAll(' ', '_')] = Number(id); });
  }
  const [, list] = /enum peer_msg_kind \{(.*?)\};/s.exec(read('host/wire/peer_msg.h'));
  const coded = {};
  for (const [, name, id] of list.matchAll(/PEER_([A-Z_]+) = (\d+)/g)) if (Number(id) < 256) coded[name] = Number(id);
  assert.ok(Object.keys(coded).length > 15);
  assert.deepEqual(Object.entries(documented).sort(), Object.entries(coded).sort());
});

test('the limits and media types of PROTOCOL.md are the host\'s', () => {
  const [text, tables] = read('host/PROTOCOL.md').split('\n## 6. Limits\n');
  const defined = Object.fromEntries([...read('host/base/limits.h').matchAll(/^#define ([A-Z_0-9]+)\s+([^/\n]*)/gm)].map(([, name, value]) => [name, value.trim()]));
  const valueOf = name => Number(new Function('KIB', 'MIB', `return ${defined[name].replace(/(\d)u(ll)?\b/g, '$1').replace(/1ll <</, '2 **').replace(/1ull << (\d+)/, '2 ** $1')
    .replace(/1 << (\d+)/, '2 ** $1').replace(/[A-Z][A-Z_0-9]{4,}/g, other => valueOf(other))}`)(n => n * 1024, n => n * 1024 * 1024));
  const listed = Object.fromEntries([...tables.matchAll(/^\| `(LIMIT_[A-Z_0-9]+)` \| (\d+) \|$/gm)].map(([, name, value]) => [name, Number(value)]));
  const named = new Set(text.match(/\bLIMIT_[A-Z_0-9]+\b/g));
  assert.deepEqual(Object.keys(listed).sort(), [...named].sort());
  for (const [name, value] of Object.entries(listed)) assert.equal(value, valueOf(name), name);

  const types = {};
  for (const [, suffixes, type] of tables.matchAll(/^\| ((?:`\.\w+`(?:, )?)+) \| `([^`]+)` \|$/gm)) for (const [, suffix] of suffixes.matchAll(/`(\.\w+)`/g)) types[suffix] = type;
  const built = Object.fromEntries([...read('host/wire/media_type.c').matchAll(/\{"(\.\w+)", "([^"]+)"\}/g)].map(([, suffix, type]) => [suffix, type]));
  assert.ok(Object.keys(built).length > 50);
  assert.deepEqual(Object.entries(types).sort(), Object.entries(built).sort());
});

test('every test that a table names as a defence is there', () => {
  const files = Object.fromEntries(paths.filter(path => /^tests\/.*\.(py|c|js)$/.test(path)).map(path => [path, read(path)]));
  let count = 0;
  for (const [document, short] of [['host/PROTOCOL.md', { T: 'tests/interop/test_attacks.py' }], ['.github/SECURITY.md', {}]]) {
    for (const [, cell] of read(document).matchAll(/^\|(?:[^|\n]*\|){2}([^|\n]*)\|$/gm)) {
      // "T `a`, `b`; tests/x.c `c`": a file, then parts of the names of its tests.
      for (const part of cell.split(';')) {
        const file = /tests\/[\w./-]+\.(?:py|c|js)/.exec(part)?.[0] ?? short[/^\s*(\w)\s/.exec(part)?.[1]];
        if (!file) continue;
        assert.ok(files[file], `${document}: ${file}`);
        for (const [, name] of part.matchAll(/`([^`]+)`/g)) {
          const words = name.replace(/^\.\.\.|^_+/, '').replace(/^_/, '');
          if (words === file) continue;
          assert.ok(files[file].includes(words), `${document}: ${file} has no ${name}`);
          count++;
        }
      }
    }
  }
  assert.ok(count > 40, String(count));
});
