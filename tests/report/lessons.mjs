// "How a convolution works" and "Feature maps" in headless Chromium, with keys alone and with the mouse.
//
//     node lessons.mjs CNNC LENET.ir FOLDER
import assert from 'node:assert';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../onnx/onnxruntime.mjs';
import { coloursIn, eventually, openPage, startBrowser } from './browser.mjs';

const [cnnc, lenet, folder] = process.argv.slice(2);
const windows = path.join(path.dirname(fileURLToPath(import.meta.url)), 'Inputs/windows.ir');

async function show(page, ...names) {
  await page.evaluate((hash) => { location.hash = hash; }, names.map(encodeURIComponent).join('/'));
}

/// Goes to a layer in the lessons, and waits until it is there.
async function showLayer(page, name) {
  await show(page, 'convolution', name);
  await page.waitForFunction((layer) => document.querySelector('#panel-convolution .total') &&
    document.querySelector('#panel-convolution select').value === layer, name);
  await page.focus('.lesson-stage');
}

const counter = (page) => page.textContent('.stepper output');

/// Waits until a step is shown.
const waitForStep = (page, step, what) =>
  eventually(async () => assert.equal(Number((await counter(page)).split(' ')[1]), step, what));

/// Presses the right arrow through all steps: what is shown as the sum is the reference's result.
async function checkSteps(page, name) {
  await showLayer(page, name);
  const count = Number((await counter(page)).split(' ').at(-1));
  for (let step = 1; step <= count; ++step) {
    await waitForStep(page, step, name);
    const shown = await page.$eval('.total', (total) => ({ text: total.textContent, ...total.dataset }));
    const [sum, reference] = [Number(shown.sum), Number(shown.reference)];
    assert(Math.abs(sum - reference) <= 1e-5 * Math.max(1, Math.abs(reference)), `${name}, step ${step}: ${shown.sum}`);
    assert(Math.abs(Number(shown.text.replace('−', '-')) - reference) <= 1e-5 * Math.max(1, Math.abs(reference)));
    await page.keyboard.press('ArrowRight');
  }
  return count;
}

async function checkKeys(page) {
  await showLayer(page, 'all');
  const press = async (key, expected) => {
    await page.keyboard.press(key);
    await waitForStep(page, expected, key);
  };
  await press('End', 30);
  await press('ArrowRight', 30);
  await press('ArrowLeft', 29);
  await press('ArrowUp', 24);
  await press('Home', 1);
  await press('ArrowLeft', 1);
  await press('ArrowDown', 6);
  // It plays three steps a second, by a clock that the test moves.
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(3_600_000);
  await page.keyboard.press(' ');
  await page.waitForSelector('.stepper button:has-text("Pause")');
  await page.clock.runFor(1100);
  await waitForStep(page, 9, 'plays');
  await page.keyboard.press(' ');
  await page.waitForSelector('.stepper button:has-text("Play")');
  await page.clock.runFor(1100);
  await waitForStep(page, 9, 'space stops');
  await page.clock.resume();
}

/// What is written at a step of the other lessons.
async function checkLesson(page, lesson, layer, expected) {
  await showLayer(page, layer);
  await page.getByRole('button', { name: lesson, exact: true, pressed: false }).click();
  await page.getByRole('button', { name: lesson, exact: true, pressed: true }).waitFor();
  await page.focus('.lesson-stage');
  const first = await page.textContent('.told');
  await page.keyboard.press('ArrowRight');
  await eventually(async () => assert.notEqual(await page.textContent('.told'), first));
  assert.match(await page.textContent('#panel-convolution'), expected);
  await page.getByRole('button', { name: 'Sliding', exact: true }).click();
}

/// The element that won is outlined in the input where the sentence says it is.
async function checkWinner(page) {
  await showLayer(page, 'pool1');
  for (let i = 0; i < 77; ++i)
    await page.keyboard.press('ArrowRight');
  await waitForStep(page, 78);
  const [, row, column] = /input row (\d+), column (\d+)/.exec(await page.textContent('.sum'));
  const squares = await page.$$eval('.plane .winner', (marks) => marks.map((mark) =>
    ['x', 'y', 'width'].map((name) => Number(mark.getAttribute(name)))));
  const [x, y, width] = squares[0];
  assert.deepEqual([y / width, x / width], [Number(row), Number(column)]);
}

/// Every canvas shows more than one colour once it is in view.
async function checkPictures(page, count) {
  await show(page, 'maps');
  const canvases = page.locator('.feature-map canvas');
  await eventually(async () => assert.equal(await canvases.count(), count));
  for (const canvas of await canvases.all())
    await eventually(async () => assert(await coloursIn(canvas) > 2, 'a map is blank'));
}

/// Waits until these rows and columns of the input are outlined: first ones and numbers.
const waitForField = (page, expected, what) => eventually(async () => assert.deepEqual(
  await page.$eval('.input-picture rect', (rect) => ['y', 'x', 'height', 'width'].map((name) =>
    Number(rect.getAttribute(name)))), expected, what));

/// conv2 of LeNet sees 14 x 14 pixels, two of them further with each position: it reads pools of 2 x 2 over windows
/// of 5 x 5 with two rows and columns of padding.
async function checkFields(page) {
  await page.focus('[id="map-conv2"] canvas');
  await page.waitForSelector('.input-picture rect');
  await waitForField(page, [0, 0, 12, 12]);
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown'])
    await page.keyboard.press(key);
  await waitForField(page, [0, 2, 14, 14]);
  for (let i = 0; i < 20; ++i)
    await page.keyboard.press('ArrowDown');
  await waitForField(page, [16, 2, 12, 14], 'cut at the lower border');
  await page.hover('[id="map-conv1"] canvas', { position: { x: 4 * 10 + 1, y: 4 * 20 + 1 } }); // four pixels an element
  await waitForField(page, [18, 8, 5, 5]);
  assert.match(await page.textContent('.pointed'), /conv1 channel 0, row 20, column 10/);
}

/// Each colour scheme has its own paper, and printing leaves out what is for the keyboard.
async function checkMedia(page) {
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await paper();
  await page.emulateMedia({ colorScheme: 'dark' });
  await eventually(async () => assert.notEqual(await paper(), light));
  await page.emulateMedia({ colorScheme: 'light', media: 'print' });
  await showLayer(page, 'conv1');
  await page.waitForSelector('.stepper', { state: 'hidden' });
  await page.waitForSelector('.lesson-stage .plane');
  await page.setViewportSize({ width: 720, height: 1000 }); // about a sheet of paper
  await page.waitForFunction(() => { // it fits the paper
    const figure = document.querySelector('.lesson-stage .figure');
    return figure.scrollWidth <= figure.clientWidth;
  });
}

fs.rmSync(folder, { recursive: true, force: true });
fs.mkdirSync(folder, { recursive: true });
const browser = await startBrowser();
const file = (name) => path.join(folder, `${name}.html`);
run(cnnc, windows, '--report', file('windows'));
run(cnnc, lenet, '--report', file('lenet'));
const small = await openPage(browser, file('windows'));
let steps = 0;
for (const layer of ['all', 'lanes', 'largest', 'many', 'mean', 'mean.counted', 'own'])
  steps += await checkSteps(small, layer);
await checkKeys(small);
await checkLesson(small, 'In tiles', 'many', /for output channels in steps of \d+: now/);
await checkLesson(small, 'In vectors', 'many', /The other 2 input channels|\.\.\. all other input channels/);
await checkLesson(small, 'In vectors', 'lanes', /one, the same in every lane: the lanes are pixels/);
assert.deepEqual(small.said, []);
const page = await openPage(browser, file('lenet'));
await checkWinner(page);
await checkPictures(page, 13);
await checkFields(page);
await checkMedia(page);
assert.deepEqual(page.said, []);
await browser.close();
console.log(`${steps} steps agree`);
