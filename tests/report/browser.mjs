// The report in headless Chromium: the browser of the system, driven by playwright-core from npm.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const driver = 'playwright-core';
const driverVersion = '1.65.1';
const skipped = 77;

/// The npm package, installed once, without scripts, into ${XDG_CACHE_HOME:-~/.cache}/cnnc. Ends the process with
/// 77 when it is not there and cannot be installed.
function loadDriver() {
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  const folder = path.join(cache, 'cnnc', `${driver}-${driverVersion}`);
  if (!fs.existsSync(path.join(folder, 'node_modules', driver))) {
    fs.mkdirSync(folder, { recursive: true });
    const npm = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder,
      `${driver}@${driverVersion}`], { encoding: 'utf8', timeout: 300_000 });
    if (npm.status !== 0) {
      console.log(`skipped: npm could not install ${driver}@${driverVersion}: ${npm.error?.message ?? npm.stderr}`);
      process.exit(skipped);
    }
  }
  return createRequire(path.join(folder, 'package.json'))(driver);
}

/// Chromium, or the end of the process with 77 where there is none.
export async function startBrowser() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => fs.existsSync(file));
  if (!executablePath) {
    console.log('skipped: there is no Chromium');
    process.exit(skipped);
  }
  return loadDriver().chromium.launch({ executablePath, args: ['--no-sandbox'] });
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
