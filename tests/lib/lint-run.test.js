// tests/lib/lint-run on a host of two small files: each of its tools finds its fault, and says nothing where there is none.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const REPO = fileURLToPath(new URL('../..', import.meta.url));
const GOOD = 'int twice(int a);\nint twice(int a)\n{\n    return 2 * a;\n}\n';
const BAD = `#include <stdio.h>
#include <string.h>
int leak(const char *name);
int leak(const char *name)
{
    FILE *file = fopen(name, "r"); /* cppcheck: never closed */
    char text[8];
    memset(text, sizeof text, 0); /* clang-tidy: swapped */
    return file != NULL ? text[0] : 0;
}
int fault(int *at);
int fault(int *at)
{
    if (at == NULL)
        return *at; /* the analyzer */
    return 0;
}
`;

function lint(files) {
  const repo = mkdtempSync(join(tmpdir(), 'fringe-lint-'));
  try {
    for (const path of ['.clang-tidy', 'tests/lint', 'tests/lib/lint-run']) cpSync(join(REPO, path), join(repo, path), { recursive: true });
    mkdirSync(join(repo, 'host/base'), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(repo, 'host/base', name), text);
    const out = join(repo, 'out');
    mkdirSync(out);
    const { stdout } = spawnSync(join(repo, 'tests/lib/lint-run'), [out, '1000'], { encoding: 'utf8' });
    return { stdout, counts: readFileSync(join(out, 'counts'), 'utf8').trim() };
  } finally {
    rmSync(repo, { recursive: true, force: true });
  }
}

test('finds nothing in good code', () => {
  const { stdout, counts } = lint({ 'good.c': GOOD });
  assert.equal(counts, '3 0', stdout);
});

test('each tool finds its fault, and says where', () => {
  const { stdout, counts } = lint({ 'good.c': GOOD, 'bad.c': BAD });
  assert.equal(counts, '0 3', stdout);
  assert.match(stdout, /bad\.c:9: error: .*\[resourceLeak\]/);
  assert.match(stdout, /bad\.c:8:5: error: .*\[bugprone-suspicious-memset-usage/);
  assert.match(stdout, /bad\.c:15:16: warning: .*\[core\.NullDereference\]/);
});
