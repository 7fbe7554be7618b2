// The report in headless Chromium: the browser of the system, driven by playwright-core from npm.
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
import { loadPackage, skipped } from '../npm_package.mjs';

const driver = 'playwright-core', driverVersion = '1.65.1';

/// Chromium, or the end of the process with 77 where there is none.
export async function startBrowser() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => fs.existsSync(file));
  if (!executablePath) {
    console.log('skipped: there is no Chromium');
    process.exit(skipped);
  }
  return loadPackage(driver, driverVersion).chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

/// A file of HTML in a page of its own. Whatever it says to the console ends up in `page.said`.
export async function openPage(browser, file, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  page.said = [];
  page.on('console', (message) => page.said.push(message.text()));
  page.on('pageerror', (error) => page.said.push(String(error)));
  page.on('request', (request) => request.url().startsWith('file:') || page.said.push(`loads ${request.url()}`));
  await page.goto(String(pathToFileURL(file)));
  return page;
}
