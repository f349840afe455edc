// A site of few files for tests that are not about kinds of files: big.bin, small.txt, page.js, and the pages of a test's choice.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { allLogged } from './origin.js';

const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>small</title><script src="/static/page.js"></script>';

/** Writes the site; `pages` adds {"name.html": text}, `files` further files. Returns the root. */
export function writeSmallSite(root, { pages = {}, files = {}, bigBytes = 4_000_000 } = {}) {
  const all = {
    'index.html': PAGE,
    'static/page.js': 'window.ran = true;\n',
    'static/small.txt': 'a small file\n',
    'static/big.bin': randomBytes(bigBytes),
    ...pages, ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

export function hashOf(root, path) {
  return createHash('sha256').update(readFileSync(join(root, path))).digest('hex');
}

/** Fetches in the page; answers {status, bytes, hash, ms} or {error}. By then the sites have logged what they sent for it. */
export async function fetchInPage(page, url, options) {
  const result = await page.evaluate(async (address, init) => {
    const begin = performance.now();
    try {
      const response = await fetch(address, init);
      const bytes = await response.arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      const hash = [...digest].map(byte => byte.toString(16).padStart(2, '0')).join('');
      return { status: response.status, bytes: bytes.byteLength, hash, range: response.headers.get('content-range'), ms: performance.now() - begin };
    } catch (error) {
      return { error: String(error) };
    }
  }, url, options);
  await allLogged();
  return result;
}

/** Waits until the site's worker controls the page, so that what follows goes through it. */
export async function waitForWorker(page) {
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
}
