// What the extension knows, as its popup is told.
import { waitFor } from './scope.js';

/**
 * Waits until the extension finds its host "ready" (or in another state of background/host.js) and, in Chromium, its rules
 * follow. A page opened sooner comes from the site.
 */
export async function waitForHost(browser, state = 'ready') {
  const page = await browser.openExtensionPage('popup/popup.html');
  await waitFor(`the host of ${browser.kind} to be ${state}`, () => page.evaluate(async wanted => {
    const { host } = await chrome.runtime.sendMessage({ type: 'popup.state', tab: 1 });
    if (host.state !== wanted) throw new Error(`it is ${host.state} (${host.detail})`);
    return wanted !== 'ready' || navigator.userAgent.includes('Firefox') || (await chrome.declarativeNetRequest.getDynamicRules()).length > 0;
  }, state));
  await page.close();
}
