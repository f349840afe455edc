// The real Firefox, headless over WebDriver BiDi, with a fresh profile, the extension, the visitor's host and Local Network
// Access switched on.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { trustAuthorities } from './certs.js';
import { EXTENSION, INSTALLED, findProgram } from './paths.js';
import { LEAVE_SIGNALS, LOADED_MS, killAtExit, newPage, once, waitFor } from './scope.js';
import { installNativeHost } from './visitor.js';
import { closeWelcome } from './welcome.js';

export const FIREFOX_ID = 'fringe@fringe.example';
// Firefox gives an extension a random address on each profile; a known one lets tests open its pages.
export const FIREFOX_UUID = 'f5196e00-0000-4000-8000-000000000001';

/** Options as for `openChromium`; `prefs` are set on top of ours. */
export async function openFirefox(scope, visitor, {
  origins = [], extension = EXTENSION, host = true, welcome = false, first = null, prefs = {}, networkEnabled = true,
} = {}) {
  const profile = join(visitor.home, 'firefox');
  mkdirSync(profile, { recursive: true });
  await trustAuthorities(profile, origins.map(origin => origin.caFile));
  if (host && !INSTALLED) installNativeHost(visitor, join(visitor.home, '.mozilla', 'native-messaging-hosts'), 'firefox');

  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FRINGE_FIREFOX ?? findProgram('firefox-esr', 'firefox-esr'),
    headless: true,
    networkEnabled,
    timeout: LOADED_MS,
    ...LEAVE_SIGNALS,
    userDataDir: profile,
    // Without it no extension page may be opened.
    args: ['--remote-allow-system-access', ...(first ? [first] : [])],
    env: { ...process.env, ...visitor.env, MOZ_CRASHREPORTER_DISABLE: '1' },
    extraPrefsFirefox: {
      'network.dns.disableIPv6': true,
      'network.lna.enabled': true,
      'network.lna.blocking': true,
      'network.lna.address_space.public.override': origins.map(origin => origin.address).join(','),
      'extensions.webextensions.uuids': JSON.stringify({ [FIREFOX_ID]: FIREFOX_UUID }),
      'media.autoplay.default': 0,
      // As Debian has them; puppeteer would look for no extension of the system.
      ...(INSTALLED ? { 'extensions.autoDisableScopes': 3, 'extensions.enabledScopes': 15 } : {}),
      ...prefs,
    },
  });
  killAtExit(browser.process());
  const close = once(() => browser.close());
  scope.defer(close);
  if (extension && !INSTALLED) await browser.installExtension(extension);
  const extensionUrl = path => `moz-extension://${FIREFOX_UUID}/${path}`;
  const opened = {
    kind: 'firefox', browser, visitor, close, extensionUrl,
    newPage: () => newPage(browser),
    openExtensionPage: path => openExtensionPage(browser, extensionUrl(path)),
    updateExtension: folder => browser.installExtension(folder),
  };
  if (extension && !welcome) await closeWelcome(opened, extension);
  return opened;
}

/** Firefox tells nobody when an extension page has loaded, so `goto` would wait in vain. */
async function openExtensionPage(browser, url) {
  const page = await newPage(browser);
  page.goto(url).catch(() => {});
  await waitFor(url, () => page.evaluate(address => location.href === address && document.readyState === 'complete', url).catch(() => false));
  return page;
}
