// A browser ends an idle background and starts it again when something happens. What the background knew of open documents is kept
// for that in the session's storage, which lives in memory and goes with the browser.
import { api } from '../common/api.js';

const KEY = 'records';
const SAVE_AFTER_MS = 200;

/** Restores what was known and saves what will be; `sites.restored` resolves when the first is done. */
export function keepSites(sites) {
  sites.restored = restore(sites);
  let timer = 0;
  sites.onRecords(() => {
    timer ||= setTimeout(() => {
      timer = 0;
      api.storage.session.set({ [KEY]: sites.records() });
    }, SAVE_AFTER_MS);
  });
}

async function restore(sites) {
  const { [KEY]: records } = await api.storage.session.get(KEY).catch(() => ({}));
  if (Array.isArray(records)) sites.restore(records);
}
