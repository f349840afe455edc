// The real Chromium, headless, with a fresh profile, the extension, the visitor's host and Local Network Access switched on.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { trustAuthorities } from './certs.js';
import { EXTENSION, INSTALLED, findProgram } from './paths.js';
import { LEAVE_SIGNALS, LOADED_MS, killAtExit, newPage, once, waitFor } from './scope.js';
import { installNativeHost } from './visitor.js';
import { closeWelcome } from './welcome.js';

export const CHROMIUM_ID = 'gnngkgnlcojnaaapcfnmdjionaonmblf';

/**
 * `origins`: the sites the visitor trusts and sees as public addresses. `extension`: a folder, or null for a browser without.
 * `host: false` leaves the native host uninstalled, `welcome: true` the first-run page open. `first`: the page that the browser begins with.
 * `networkEnabled: false`: the browser does not report its requests, which costs it several milliseconds each.
 * `extensions`: folders of further extensions. `preferences` of the new profile. `without`: arguments of puppeteer's that are left out.
 */
export async function openChromium(scope, visitor, {
  origins = [], extension = EXTENSION, host = true, welcome = false, first = null, args = [], networkEnabled = true,
  extensions = [], preferences = null, without = [],
} = {}) {
  const profile = join(visitor.home, 'chromium');
  const certificates = join(visitor.home, '.pki', 'nssdb');
  mkdirSync(profile, { recursive: true });
  mkdirSync(certificates, { recursive: true });
  await trustAuthorities(certificates, origins.map(origin => origin.caFile));
  if (host && !INSTALLED) installNativeHost(visitor, join(profile, 'NativeMessagingHosts'), 'chromium');

  if (preferences) setPreferences(profile, preferences);

  const browser = await puppeteer.launch({
    executablePath: process.env.FRINGE_CHROMIUM ?? findProgram('chromium', 'chromium'),
    headless: true,
    networkEnabled,
    timeout: LOADED_MS,
    ...LEAVE_SIGNALS,
    userDataDir: profile,
    env: { ...process.env, ...visitor.env },
    ignoreDefaultArgs: ['--disable-extensions', ...without],
    args: [
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []), // Chromium's sandbox refuses root
      '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
      // Without this the sites, being on loopback, would count as local themselves and Local Network Access would never step in.
      ...(origins.length ? [`--ip-address-space-overrides=${origins.map(origin => `${origin.address}=public`).join(',')}`] : []),
      ...(extension && !INSTALLED ? [`--load-extension=${[extension, ...extensions].join(',')}`] : []),
      ...args,
      ...(first ? [first] : []),
    ],
  });
  killAtExit(browser.process());
  const close = once(() => browser.close());
  scope.defer(close);
  if (extension) await extensionWorker(browser);
  const extensionUrl = path => `chrome-extension://${CHROMIUM_ID}/${path}`;
  const opened = {
    kind: 'chromium', browser, visitor, close,
    newPage: () => newPage(browser),
    extensionUrl,
    openExtensionPage: path => openExtensionPage(browser, extensionUrl(path)),
    extensionWorker: () => extensionWorker(browser),
    updateExtension: () => updateExtension(browser),
  };
  if (extension && !welcome) await closeWelcome(opened, extension);
  return opened;
}

function setPreferences(profile, preferences) {
  const file = join(profile, 'Default', 'Preferences');
  if (existsSync(file)) return;
  mkdirSync(join(profile, 'Default'), { recursive: true });
  writeFileSync(file, JSON.stringify(preferences));
}

async function openExtensionPage(browser, url) {
  const page = await newPage(browser);
  await page.goto(url);
  return page;
}

/** Takes up what stands in the extension's folder now, as an update does. Outside developer mode it would be disabled by that. */
async function updateExtension(browser) {
  const page = await newPage(browser);
  await page.goto('chrome://extensions');
  const started = new Promise(resolve => {
    browser.on('targetcreated', target => target.type() === 'service_worker' && target.url().startsWith('chrome-extension://') && resolve());
  });
  await page.evaluate(async id => {
    await chrome.developerPrivate.updateProfileConfiguration({ inDeveloperMode: true });
    await chrome.developerPrivate.reload(id, { failQuietly: true });
  }, CHROMIUM_ID);
  await started;
  await page.close();
}

/** The extension's service worker, for `evaluate`; waking one that went to sleep is up to the caller. */
async function extensionWorker(browser) {
  const isOurs = target => target.type() === 'service_worker' && target.url().startsWith(`chrome-extension://${CHROMIUM_ID}/`);
  const target = await browser.waitForTarget(isOurs, { timeout: LOADED_MS });
  return waitFor('the extension worker', () => target.worker());
}
