// The page of a compiled model in headless Chromium: network, passes, kernels, memory, times; with keys and mouse.
//
//     node views.mjs CNNC EXAMPLES FOLDER
import assert from 'node:assert';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, writeNpy } from '../onnx/onnxruntime.mjs';
import { coloursIn, eventually, openPage, startBrowser } from './browser.mjs';

const [cnnc, examples, folder] = process.argv.slice(2);
const hostile = path.join(path.dirname(fileURLToPath(import.meta.url)), 'Inputs/hostile.ir');

function makeReport(model, ...inputs) {
  const file = path.join(folder, `${path.basename(model, '.ir')}.html`);
  run(cnnc, model, ...inputs, '--cpu=x86-64-v3', '--report', file, ...inputs.length > 0 ? ['--runs=11'] : []);
  return file;
}

function randomImage(dims) {
  const file = path.join(folder, 'image.npy');
  const count = dims.reduce((product, dim) => product * dim, 1);
  writeNpy(file, { type: 'float32', dims, data: Float32Array.from({ length: count }, (_, i) => (i * 7919 % 256) / 256) });
  return file;
}

/// Goes to a view, and waits until it is shown. The mouse stays out of it.
async function show(page, ...names) {
  await page.mouse.move(1, 1);
  await page.evaluate((hash) => { location.hash = hash; }, names.map(encodeURIComponent).join('/'));
  await page.waitForSelector(`#panel-${names[0]}:not([hidden])`);
}

/// Until a kernel, which the page reads on its own time, is there at all levels.
const waitForKernel = (page, name) => page.waitForFunction((kernel) =>
  document.querySelector('#panel-kernels h2')?.textContent === `@${kernel}` &&
  document.querySelectorAll('#panel-kernels .pane:last-child .row').length > 10, name);

async function showKernel(page, name) {
  await show(page, 'kernels', name);
  await waitForKernel(page, name);
}

const texts = (page, selector) => page.$$eval(selector, (nodes) => nodes.map((node) => node.textContent));
const status = (page, view) => page.textContent(`#panel-${view} [role=status]`);

/// Waits until the status of a view says something.
const waitForStatus = (page, view, expected) =>
  eventually(async () => assert.match(await status(page, view), expected));

/// Waits until there are so many elements.
const waitForCount = (page, selector, count) =>
  eventually(async () => assert.equal(await page.locator(selector).count(), count, selector));

/// Waits until a picture is drawn.
const waitForPicture = (page, selector) =>
  eventually(async () => assert(await coloursIn(page.locator(selector)) > 20, `${selector} is blank`));

/// Every kernel of the network is in the picture, inside of it; names are found; a click opens a kernel.
async function checkNetwork(page, count, wanted) {
  await show(page, 'graph');
  await waitForCount(page, '#panel-graph .box.kernel', count);
  await page.fill('#panel-graph input[type=search]', wanted);
  await waitForStatus(page, 'graph', /^1 of [1-9]/);
  assert.equal(await page.textContent('#panel-graph .side h2'), `@${wanted}`);
  await page.click(`#panel-graph .box[data-name="${wanted}"]`);
  await waitForKernel(page, wanted);
  await show(page, 'graph');
  for (const colouring of ['memory', 'algorithm', 'time']) {
    await page.click(`#panel-graph .choice button:text-is("${colouring}")`);
    await page.waitForSelector(`#panel-graph .choice button:text-is("${colouring}")[aria-pressed=true]`);
  }
}

/// All without a mouse: tabs, boxes of the network, lines of a kernel.
async function checkKeys(page) {
  await show(page, 'graph');
  await page.focus('#tab-graph');
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector('#panel-passes:not([hidden])');
  await page.waitForSelector('#tab-passes:focus');
  await page.keyboard.press('Home');
  await page.waitForSelector('#panel-graph:not([hidden])');
  await page.focus('#panel-graph .canvas');
  for (const name of ['@pool2.plain', '%flat', '@fc1']) { // from conv2, which was found before
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector(`#panel-graph .side h2:text-is("${name}")`);
  }
  await page.keyboard.press('Enter');
  await waitForKernel(page, 'fc1');
}

/// Passes: those that changed something have a diff, the others are folded.
async function checkPasses(page) {
  await show(page, 'passes', 'fuse_kernels');
  await page.waitForSelector('#pass-fuse_kernels .row.added');
  assert((await texts(page, '#pass-fuse_kernels .row.added')).some((line) => line.includes('kernel @conv1(')));
  assert((await texts(page, '#pass-fuse_kernels .changes li')).some((line) => /^kernels 0 → \d+ \+\d+$/.test(line)));
  assert.equal(await page.$('#pass-lower_conv_transpose details, details#pass-lower_conv_transpose'), null);
  await page.focus('#pass-plan_memory > summary');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#pass-plan_memory .row.added');
}

/// A pane by its title, and of it the lines that are marked.
const pane = (title) => `#panel-kernels .pane:has(h3:text-is("${title}"))`;
const marked = (page, title) => texts(page, `${pane(title)} .row.lit .code`);

/// The loop over the rows of the window, pointed at in the loops: at all levels the same is marked.
async function checkLoops(page) {
  await showKernel(page, 'conv1');
  assert.match((await texts(page, `${pane('Graph')} .code`)).join('\n'), /%conv1 = conv2d .*\n.*relu.*\n.*max_pool2d/);
  assert.match((await texts(page, `${pane('Model')} .code`))[0], /^%conv1 = conv2d %image, .*lenet\.ir:14$/);
  await page.click('#panel-kernels .decisions > summary');
  assert((await texts(page, '#panel-kernels .decision .question')).includes('tile'));
  await page.click('#panel-kernels .decision:has(.question:text-is("tile")) > summary');
  await waitForCount(page, '#panel-kernels .decision[open] tr.chosen th', 1);
  const steps = await texts(page, `${pane('Loops')} option`);
  assert.deepEqual(steps.slice(0, 3), ['lower_loops', 'fuse_loops', 'tile_loops']);
  // Also with a single move that comes from another pane.
  await page.hover(`${pane('LLVM IR')} .row >> nth=0`);
  await page.hover(`${pane('Loops')} .row:has-text("for kh in") [data-name=kh]`);
  await waitForStatus(page, 'kernels', /^Loop kh: \d+ lines of Loops, \d+ lines of LLVM IR, \d+ lines of Assembly$/);
  const loops = await marked(page, 'Loops');
  assert.match(loops[0], /^ *for kh in 0\.\.5, kw in 0\.\.5/);
  assert.equal(loops.at(-1).trim(), '}');
  await page.click(`${pane('Loops')} .row:has-text("for kh in") [data-name=kh]`);
  await waitForStatus(page, 'kernels', / \(held\)$/);
  assert.match((await marked(page, 'LLVM IR'))[0], /^kh\.head:/);
  const assembly = (await marked(page, 'Assembly')).join('\n');
  assert.match(assembly, /kh\.head/);
  assert.match(assembly, /vfmadd/);
  assert(!/ret$/m.test(assembly));
  await page.focus(`${pane('Loops')} .lines`);
  await page.keyboard.press('Escape');
  await waitForCount(page, '#panel-kernels .row.lit', 0);
}

/// With keys: the line of the cursor, then a name in it.
async function checkCursor(page) {
  await showKernel(page, 'conv1');
  await page.focus(`${pane('Loops')} .lines`);
  for (let i = 0; i < 3; ++i)
    await page.keyboard.press('ArrowDown');
  await waitForStatus(page, 'kernels', /^Loop ow\.o: /);
  await page.focus(`${pane('Graph')} .lines`);
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowRight');
  await waitForStatus(page, 'kernels',
    /^Name pool1: 1 line of Model, 2 lines of Graph, \d+ lines of Loops, \d+ lines of LLVM IR/);
}

/// Loops of every pass, and each of them marked by its family where the name is another.
async function checkSteps(page) {
  await showKernel(page, 'conv1');
  await page.selectOption(`${pane('Loops')} select`, 'lower_loops');
  await page.hover(`${pane('Loops')} [data-name=ow] >> nth=0`);
  await page.waitForSelector(`${pane('Assembly')} .row.kin, ${pane('LLVM IR')} .row.kin`);
}

async function checkMemory(page, file) {
  await show(page, 'memory');
  const data = JSON.parse(await page.textContent('#data-memory'));
  for (const a of data.buffers)
    for (const b of data.buffers)
      assert(a === b || a.last < b.first || b.last < a.first || a.offset + a.bytes <= b.offset ||
        b.offset + b.bytes <= a.offset || a.last === b.first || b.last === a.first, `${file}: ${a.name}, ${b.name} overlap`);
  await waitForCount(page, '#panel-memory .buffer', data.buffers.length);
  await page.focus('#panel-memory .plan');
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector(`#panel-memory [role=status] b:text-is("%${data.buffers[0].name}")`);
  await waitForPicture(page, '#panel-memory .plan');
}

async function checkTimes(page, measured) {
  await show(page, 'roofline');
  const kernels = JSON.parse(await page.textContent('#data-facts')).kernels;
  await waitForCount(page, '#panel-roofline .time-row', kernels.length);
  assert.equal(kernels.every((kernel) => kernel.median !== undefined), measured);
  // A clock that is coarse may have seen no time go by: such a kernel has no speed.
  const dots = kernels.filter((kernel) => kernel.multiplications > 0 && kernel.median !== 0);
  await waitForCount(page, '#panel-roofline .dot', dots.length);
  const inside = await page.$eval('#panel-roofline .roofline', (chart) => [...chart.querySelectorAll('.dot')].every((dot) =>
    dot.cx.baseVal.value > 0 && dot.cx.baseVal.value < 1000 && dot.cy.baseVal.value > 0 && dot.cy.baseVal.value < 430));
  assert(inside);
  await page.focus('#panel-roofline .roofline');
  await page.keyboard.press('ArrowRight');
  await waitForStatus(page, 'roofline', /^@.*operations per byte, \d+ % of the peak/);
  await waitForPicture(page, '#panel-roofline .roofline');
  await page.click('#panel-roofline th button:text-is("Multiplications")');
  const most = kernels.reduce((a, b) => b.multiplications > a.multiplications ? b : a);
  await page.waitForSelector(`#panel-roofline tbody tr:first-child th a:text-is("@${most.name}")`);
}

async function checkLenet(browser) {
  const file = makeReport(path.join(examples, 'lenet/lenet.ir'), randomImage([1, 1, 28, 28]));
  const page = await openPage(browser, file);
  await waitForPicture(page, '#panel-graph .canvas');
  await checkNetwork(page, 8, 'conv2');
  await checkKeys(page);
  await checkPasses(page);
  await checkLoops(page);
  await checkCursor(page);
  await checkSteps(page);
  await checkMemory(page, file);
  await checkTimes(page, true);
  // The switch goes from what the system says to light to dark.
  await page.click('#theme');
  await page.click('#theme');
  await page.waitForFunction(() => getComputedStyle(document.documentElement).colorScheme === 'dark');
  await page.emulateMedia({ media: 'print' });
  await page.waitForSelector('#tabs', { state: 'hidden' });
  assert.deepEqual(page.said, []);
  await page.close();
}

async function checkResnet(browser) {
  const file = makeReport(path.join(examples, 'nets/resnet50.ir'));
  const size = fs.statSync(file).size;
  assert(size < 5e6, `${size} bytes`);
  const page = await openPage(browser, file);
  const paint = await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  console.log(`resnet50: ${size} bytes, first paint after ${Math.round(await paint.jsonValue())} ms`);
  await checkNetwork(page, 58, 'layer4.2.3.conv');
  await checkMemory(page, file);
  await checkTimes(page, false);
  await showKernel(page, 'layer1.0.2.conv');
  // Of a long text the lines that are seen are elements, also far down.
  const lines = await page.$(`${pane('LLVM IR')} .lines`);
  await lines.evaluate((node) => { node.scrollTop = node.scrollHeight; });
  await page.waitForFunction((selector) => [...document.querySelectorAll(selector)].at(-1)?.offsetTop > 10000,
    '#panel-kernels .pane:nth-child(2) .row');
  assert((await page.$$(`${pane('LLVM IR')} .row`)).length < 200);
  assert.deepEqual(page.said, []);
  await page.close();
}

/// What names hold is shown as it is, and does nothing.
async function checkHostile(browser) {
  const file = makeReport(hostile);
  const page = await openPage(browser, file);
  assert.equal(await page.textContent('h1'), '</script><script>window.hacked = 1</script>');
  assert.equal(await page.title(), '</script><script>window.hacked = 1</script>');
  for (const view of ['graph', 'passes', 'kernels', 'memory', 'roofline'])
    await show(page, view);
  await showKernel(page, 'a/b#c%41');
  assert.match((await texts(page, `${pane('Graph')} .code`)).join('\n'), /%"a\/b#c%41" = relayout/);
  await show(page, 'passes', 'fuse_kernels');
  await page.waitForSelector('#pass-fuse_kernels .row.added');
  await page.evaluate(() => { location.hash = '#kernels/%E0%A4%A'; }); // no address of ours
  await page.waitForSelector('#panel-graph:not([hidden])');
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.evaluate(() => document.querySelectorAll('img').length), 0);
  assert.deepEqual(page.said, []);
  await page.close();
}

/// A model that computes nothing, and one whose kernels are loops already: every view has something to say.
async function checkOthers(browser) {
  const empty = path.join(folder, 'empty.ir'), loops = path.join(folder, 'loops.ir');
  fs.writeFileSync(empty, 'model @empty(%x: f32[0, 3]) { %y = relu %x return %y }');
  fs.writeFileSync(loops, run(cnnc, hostile, '--cpu=x86-64-v3', '--emit=loops'));
  for (const [model, count] of [[empty, 0], [loops, 4]]) {
    const page = await openPage(browser, makeReport(model));
    for (const view of ['graph', 'passes', 'kernels', 'memory', 'roofline'])
      await show(page, view);
    await waitForCount(page, '#panel-graph .box.kernel', count);
    if (count > 0)
      await showKernel(page, 'a/b#c%41');
    assert.deepEqual(page.said, []);
    await page.close();
  }
}

fs.mkdirSync(folder, { recursive: true });
const browser = await startBrowser();
try {
  await checkLenet(browser);
  await checkResnet(browser);
  await checkHostile(browser);
  await checkOthers(browser);
} finally {
  await browser.close();
}
