// The report in headless Chromium: the browser of the system, driven by playwright-core from npm.
import assert from 'node:assert';
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
import { loadPackage, skipped } from '../npm_package.mjs';

const driver = 'playwright-core', driverVersion = '1.65.1';
const patience = 120_000; // milliseconds: other tests run beside these
const pause = 20;

/// Chromium, or the end of the process with 77 where there is none.
export async function startBrowser() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => fs.existsSync(file));
  if (!executablePath) {
    console.log('skipped: there is no Chromium');
    process.exit(skipped);
  }
  return loadPackage(driver, driverVersion).chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: patience });
}

/// A file of HTML in a page of its own. Whatever it says to the console ends up in `page.said`.
export async function openPage(browser, file, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(patience);
  page.said = [];
  page.on('console', (message) => page.said.push(message.text()));
  page.on('pageerror', (error) => page.said.push(String(error)));
  page.on('request', (request) => request.url().startsWith('file:') || page.said.push(`loads ${request.url()}`));
  await page.goto(String(pathToFileURL(file)));
  return page;
}

/// Waits until what a page shows is as a check, which asserts it, wants it. A page answers keys, the mouse and its address
/// in its own time: nothing that follows from them is there at once. Where it never is the check's failure is thrown.
export async function eventually(check) {
  for (const end = Date.now() + patience; ;) {
    try {
      return await check();
    } catch (error) {
      if (!(error instanceof assert.AssertionError) || Date.now() > end)
        throw error;
    }
    await new Promise((resume) => { setTimeout(resume, pause); });
  }
}

/// Different colours in what a locator shows: a picture has many, a blank one few. They are counted in an empty page, since ours
/// loads nothing, and may say nothing.
export async function coloursIn(shown) {
  const png = (await shown.screenshot()).toString('base64');
  const browser = shown.page().context().browser();
  browser.emptyPage ??= await browser.newPage();
  return browser.emptyPage.evaluate(async (bytes) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${bytes}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return new Set(new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer)).size;
  }, png);
}
