// The first-run page: opened once, when the extension comes to a browser profile. Until its question is answered nothing is
// fetched from or given to other visitors.
import { api } from '../common/api.js';

const KEY = 'welcomed';

export const WELCOME_PAGE = 'welcome/welcome.html';

/** Must run in the background's first turn. */
export function welcomeNewVisitors() {
  api.runtime.onInstalled.addListener(async ({ reason }) => {
    if (reason !== 'install') return;
    const { [KEY]: welcomed } = await api.storage.local.get(KEY);
    if (welcomed) return;
    await api.storage.local.set({ [KEY]: true });
    await api.tabs.create({ url: api.runtime.getURL(WELCOME_PAGE) });
  });
}
