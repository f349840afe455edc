// One table for everything the extension's pages and the content scripts may say to the background. A message counts only with a known
// type, from the sender that type belongs to, and in the right shape; anything else gets no answer.
import { api } from '../common/api.js';

const OWN_PAGES = ['popup/', 'welcome/', 'options/', 'doctor/'];

export class Messages {
  #table = new Map();

  /**
   * `from` is "ui" (a page of the extension's own) or "page"; `check(message)` is true for the right shape; `handle(message, sender)` gives
   * the answer. `ahead`: also from a page that the browser loads ahead (`isAhead(sender)`), in another frame than the one shown.
   */
  on(type, { from, ahead = false, check = () => true, handle }) {
    this.#table.set(type, { from, ahead, check, handle });
  }

  /** Must run in the background's first turn. */
  listen() {
    api.runtime.onMessage.addListener((message, sender, reply) => {
      const entry = this.#accept(message, sender);
      if (!entry) return false;
      Promise.resolve(entry.handle(message, sender)).then(reply, error => reply({ error: error.code ?? 'failed', text: error.message }));
      return true;
    });
  }

  #accept(message, sender) {
    if (!message || typeof message !== 'object' || typeof message.type !== 'string') return null;
    const entry = this.#table.get(message.type);
    if (!entry || sender.id !== api.runtime.id || sender.tab?.incognito) return null;
    const allowed = entry.from === 'ui' ? isOwnPage(sender) : isPage(sender, entry.ahead);
    return allowed && entry.check(message) ? entry : null;
  }
}

/** What the visitor opens. Not the bridge, which any site may frame. */
function isOwnPage(sender) {
  return typeof sender.url === 'string' && OWN_PAGES.some(folder => sender.url.startsWith(api.runtime.getURL(folder)));
}

/** A content script in the top frame of a tab. Its words are no more trusted than the page it runs in. */
function isPage(sender, ahead) {
  const isShown = sender.frameId === 0 && !isAhead(sender);
  return sender.tab?.id >= 0 && (isShown || (ahead && isAhead(sender))) && !sender.url.startsWith(api.runtime.getURL(''));
}

export const isAhead = sender => sender.documentLifecycle === 'prerender';
