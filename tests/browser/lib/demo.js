// Reading the demo site's own verdict (tests/site).

/** Waits until the page has checked itself; answers {kind: 'ok' or what went wrong}. */
export async function demoResults(page, timeout = 90000) {
  await page.waitForFunction(() => window.demo?.done, { timeout, polling: 200 });
  return page.evaluate(() => window.demo.results);
}
