// What the extension knows and shows: its popup as a page of its own, its badge, pictures of both.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { REPO } from './paths.js';
import { waitFor } from './scope.js';

const PICTURES = join(REPO, 'build', 'screenshots');

/**
 * Waits until the extension finds its host "ready" (or in another state of background/host.js) and, in Chromium, its rules
 * follow. A page opened sooner comes from the site.
 */
export async function waitForHost(browser, state = 'ready') {
  const page = await browser.openExtensionPage('popup/popup.html');
  await waitFor(`the host of ${browser.kind} to be ${state}`, () => page.evaluate(async wanted => {
    const { host } = await chrome.runtime.sendMessage({ type: 'popup.state', tab: 1 });
    if (host.state !== wanted) throw new Error(`it is ${host.state} (${host.detail})`);
    return wanted !== 'ready' || navigator.userAgent.includes('Firefox') || (await chrome.declarativeNetRequest.getSessionRules()).length > 0;
  }, state));
  await page.close();
}

/** Opens `url` and the popup for it. */
export async function openPopup(browser, url, { width = 360 } = {}) {
  const page = await browser.newPage();
  await page.goto(url);
  await waitFor('the page', () => page.evaluate(() => window.ran === true && document.readyState === 'complete'));
  return { page, ...await openPopupFor(browser, page, { width }) };
}

/** The popup for a page that is open. */
export async function openPopupFor(browser, page, { width = 360 } = {}) {
  const finder = await browser.openExtensionPage('popup/popup.html');
  const address = await page.evaluate(() => location.href);
  const tab = await waitFor('the tab', () => finder.evaluate(async wanted => (await chrome.tabs.query({})).find(({ url }) => url === wanted)?.id, address));
  await finder.close();
  const popup = await openUi(browser, `popup/popup.html#tab=${tab}`, { width });
  return { popup, tab, close: () => Promise.all([page.close(), popup.close()]) };
}

/** What the popup says is wrong, for the tab of `page` or for none: [{id, title, help, all}], `all` being every word of it. */
export async function problemsShown(browser, page = null) {
  const finder = await browser.openExtensionPage('popup/popup.html');
  const address = page && await page.evaluate(() => location.href);
  const tab = await finder.evaluate(async wanted => (await chrome.tabs.query({})).find(({ url }) => !wanted || url === wanted)?.id, address);
  await finder.close();
  const popup = await browser.openExtensionPage(`popup/popup.html#tab=${tab}`);
  await waitFor('the popup', () => popup.evaluate(() => document.body.dataset.drawn === 'true'));
  const said = await popup.evaluate(() => [...document.querySelectorAll('[data-problem]')].map(notice => ({
    id: notice.dataset.problem, title: notice.querySelector('h2').innerText, help: notice.querySelector('p').innerText, all: notice.innerText,
  })));
  await popup.close();
  return said;
}

/** A page of the extension, drawn, `width` wide; `page.errors()` is what went wrong in it. */
export async function openUi(browser, path, { width }) {
  const page = await browser.openExtensionPage(path);
  await page.setViewport({ width, height: 600 });
  await page.evaluate(() => {
    window.errors = [];
    addEventListener('error', event => window.errors.push(event.message));
    addEventListener('unhandledrejection', event => window.errors.push(String(event.reason)));
  });
  await waitFor(path, () => page.evaluate(() => document.body.dataset.drawn === 'true'));
  page.errors = () => page.evaluate(() => window.errors);
  return page;
}

/** What the visitor reads there; null for what is not shown. */
export const textOf = (page, id) => page.evaluate(name => {
  const element = document.getElementById(name);
  return element.checkVisibility() ? element.innerText.trim() : null;
}, id);

export const textIs = (page, id, words) => waitFor(`${id} to say ${words}`, async () => {
  const text = await textOf(page, id);
  if (!words.test(text ?? '')) throw new Error(`it says ${text}`);
  return true;
});

/** The badge of a tab as {text, title}, asked from any page of the extension. */
export const badgeOf = (page, tabId) => page.evaluate(async id => ({
  text: await chrome.action.getBadgeText({ tabId: id }), title: await chrome.action.getTitle({ tabId: id }),
}), tabId);

export const badgeIs = (page, tab, wanted) => waitFor(`the badge "${wanted}"`, async () => {
  const { text, title } = await badgeOf(page, tab);
  if (text !== wanted) throw new Error(`it is "${text}" (${title})`);
  return true;
});

/** Into build/screenshots/; nothing may stick out of the page's sides. */
export async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (inner > outer) throw new Error(`${name}: ${inner} pixels in a window of ${outer}`);
  const height = await page.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height));
  await page.screenshot({ path: join(PICTURES, `${name}.png`), clip: { x: 0, y: 0, width: outer, height }, captureBeyondViewport: true });
}

/** Controls without a name for a screen reader, and pictures without a text. */
export const unnamed = page => page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, a, summary, img, [role=img], [role=tab]')]
  .filter(element => element.checkVisibility())
  .filter(element => {
    const refs = (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean).map(id => document.getElementById(id)?.textContent);
    const label = [...element.labels ?? []].map(each => each.textContent);
    const names = [element.getAttribute('aria-label'), element.alt, ...refs, ...label, element.matches('button, a, summary') ? element.textContent : ''];
    return !names.some(name => name?.trim()) && !(element.matches('img') && element.getAttribute('alt') === '');
  }).map(element => element.outerHTML.slice(0, 200)));

/** Presses Tab `count` times and tells what had the focus: ids, or values of radio buttons. */
export async function walk(page, count) {
  const seen = [];
  for (let i = 0; i < count; i++) {
    await page.keyboard.press('Tab');
    seen.push(await page.evaluate(() => document.activeElement.id || document.activeElement.value || document.activeElement.tagName));
  }
  return seen;
}
