// The extension's first-run page: it opens by itself in a new profile, where most tests have no use for it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './scope.js';

export const WELCOME_PAGE = 'welcome/welcome.html';

/** Closes it as soon as it is there; `extension` is the folder, `known` the kinds of browsers that the visitor had before. */
export async function closeWelcome({ browser, kind, visitor, extensionUrl }, extension) {
  if (!existsSync(join(extension, WELCOME_PAGE))) return;
  visitor.welcomed ??= new Set();
  if (!visitor.welcomed.has(kind)) await (await welcomePage({ browser, extensionUrl })).close();
  visitor.welcomed.add(kind);
}

/** Waits for it to have opened by itself. Firefox does not tell where a page of an extension is, so the pages are asked. */
export function welcomePage({ browser, extensionUrl }) {
  return waitFor('the first-run page', async () => {
    for (const page of await browser.pages()) {
      const url = await page.evaluate(() => location.href).catch(() => '');
      if (url === extensionUrl(WELCOME_PAGE)) return page;
    }
    return null;
  });
}
