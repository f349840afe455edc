// The newest lines of the log, read in pages: what is known already is not read again. Pure.

/** Lines asked for at once: when none is known yet, and when only what is new is looked for. */
const PAGE = 200;
const NEWS = 50;

/**
 * Resolves to {lines, why}: the newest `wanted` lines, and one more when there are more. `known` are those of the last time, newest
 * first; `readPage({before, limit})` gives {lines, why}. What has left the log since (it was cleared, or begun anew) is gone here, too.
 */
export async function readNewest(readPage, known, wanted) {
  const lines = [];
  let older = known;
  for (;;) {
    const left = wanted + 1 - lines.length;
    const limit = Math.min(PAGE, older.length ? Math.min(NEWS, left) : left);
    const page = await readPage({ before: lines.at(-1)?.n ?? 0, limit });
    lines.push(...page.lines);
    if (page.lines.length < limit) return { lines, why: page.why };
    const last = lines.at(-1).n;
    if (older.length && older[0].n >= last) {
      const joins = lines.some(({ n }) => n === older[0].n);
      lines.push(...older.filter(({ n }) => joins && n < last));
      older = [];
    }
    if (lines.length > wanted) return { lines: lines.slice(0, wanted + 1), why: page.why };
  }
}

/** All lines of the log that `readPage` reads, newest first; `progress(number)` runs after each page. */
export async function readAll(readPage, progress) {
  const lines = [];
  for (;;) {
    const page = await readPage({ before: lines.at(-1)?.n ?? 0, limit: PAGE });
    lines.push(...page.lines);
    progress(lines.length);
    if (page.lines.length < PAGE) return lines;
  }
}
