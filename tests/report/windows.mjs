// The numbers of the page "How a convolution works", without a browser: what its script adds up for every output that
// is shown, against the results of the reference interpreter that the page holds, and these against the compiled model.
//
//     node windows.mjs CNNC MODEL.ir FOLDER
import assert from 'node:assert';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { readNpy, run, writeNpy } from '../onnx/onnxruntime.mjs';

const [cnnc, model, folder] = process.argv.slice(2);
const scripts = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../compiler/report/page');

/// The functions of the page that compute and draw nothing.
function loadScripts() {
  const names = ['readLayer', 'computeOutput', 'divisorOf', 'winnerOf', 'windowElements', 'inputAt', 'inputChannels',
    'tapped', 'isInside', 'tilesOf', 'accumulatorsOf', 'instructionsOf', 'accumulate'];
  const files = ['dom.js', 'layers.js', 'tiles.js'].map((name) => fs.readFileSync(path.join(scripts, name), 'utf8'));
  return vm.runInThisContext(`(() => { ${files.join('\n')}; return { ${names.join(', ')} }; })()`);
}

function section(page, name) {
  const found = new RegExp(`<script type="application/json" id="data-${name}">(.*?)</script>`, 's').exec(page);
  return JSON.parse(found[1]);
}

function close(actual, expected, what) {
  assert(Math.abs(actual - expected) <= 1e-5 * Math.max(1, Math.abs(expected)), `${what}: ${actual}, not ${expected}`);
}

/// Calls with every channel and position of the output that is shown, and its place for messages.
function everyOutput({ name, shown }, check) {
  shown.channels.forEach((_, channel) => {
    for (let row = 0; row < shown.output[0]; ++row)
      for (let column = 0; column < shown.output[1]; ++column)
        check(channel, [row, column], `%${name}[${shown.channels[channel]}, ${row}, ${column}]`);
  });
}

/// The results on the page against the outputs of the compiled model.
function checkResults(layer) {
  const compiled = (name) => readNpy(path.join(folder, 'out', `${name}.npy`));
  const { dims, data } = compiled(layer.name);
  everyOutput(layer, (channel, [row, column], where) => {
    const place = (layer.shown.channels[channel] * dims[2] + row) * dims[3] + column;
    close(layer.result(channel, row, column), data[place], where);
  });
}

function checkSums(page, layer) {
  everyOutput(layer, (channel, position, where) => {
    const { sum, terms } = page.computeOutput(layer, channel, position);
    const result = layer.result(channel, ...position);
    const inside = terms[0].elements.filter((element) => element.inside);
    if (layer.op === 'conv2d')
      close(sum, result, where);
    else if (layer.op === 'avg_pool2d')
      close(sum / page.divisorOf(layer, position), result, where);
    else
      assert.equal(Math.max(...inside.map(({ value }) => value)), result, where);
    if (layer.op === 'max_pool2d') {
      const winner = page.winnerOf(layer, channel, position);
      assert.equal(page.inputAt(layer, layer.shown.inputs[channel], winner.at), result, where);
      assert.equal(inside.find(({ value }) => value === result).at.join(), winner.at.join(), `${where}: the first wins`);
    }
  });
}

/// How often the compiled loops begin a register tile: the iterations around each `reg sum`.
function tilesInLoops(kernel) {
  const around = [1];
  let count = 0;
  for (const line of run(cnnc, model, '--emit=loops', `--print-kernel=@${kernel}`).split('\n')) {
    if (/^ *reg sum:/.test(line))
      count += around.at(-1);
    if (line.endsWith('{'))
      around.push([...line.matchAll(/ in 0\.\.(\d+)/g)].reduce((product, [, extent]) => product * extent, around.at(-1)));
    else if (/^ *}$/.test(line))
      around.pop();
  }
  return count;
}

/// Every output is in one tile, and after the last instruction the accumulators hold the results.
function checkTiles(page, layer) {
  const { tiles, count } = page.tilesOf(layer);
  assert.equal(count, tilesInLoops(layer.kernel), `tiles of @${layer.kernel}`);
  everyOutput(layer, (channel, [row, column], where) => {
    const shown = layer.shown.channels[channel];
    const holds = tiles.filter(({ oc, oh, ow }) => shown >= oc[0] && shown < oc[1] && row >= oh[0] && row < oh[1] &&
      column >= ow[0] && column < ow[1]);
    assert.equal(holds.length, 1, `${where} is in ${holds.length} tiles`);
  });
  const numbers = tiles.map(({ number }) => number);
  assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  for (const tile of tiles) {
    const accumulators = page.accumulatorsOf(layer, tile);
    const steps = page.instructionsOf(layer, accumulators.length);
    const whole = steps.findIndex(({ kind }) => kind === 'bias') + 1;
    page.accumulate(layer, accumulators, steps, whole).forEach((lanes, i) => lanes.forEach((sum, lane) => {
      const { channel, position } = accumulators[i][lane];
      close(sum, layer.result(channel, ...position), `%${layer.name}, tile ${tile.number}, accumulator ${i}, lane ${lane}`);
    }));
  }
}

fs.rmSync(folder, { recursive: true, force: true });
fs.mkdirSync(folder, { recursive: true });
const image = Float32Array.from({ length: 4 * 11 * 9 }, (_, i) => Math.sin(i * 1.7) * 2);
writeNpy(path.join(folder, 'image.npy'), { type: 'float32', dims: [1, 4, 11, 9], data: image });
run(cnnc, model, '--run', path.join(folder, 'image.npy'), '--outputs', path.join(folder, 'out'));
run(cnnc, model, '--report', path.join(folder, 'page.html'), path.join(folder, 'image.npy'), '--runs', '1');
const page = loadScripts();
const { made, layers } = section(fs.readFileSync(path.join(folder, 'page.html'), 'utf8'), 'convolution');
assert.equal(made, false);
assert.deepEqual(layers.map(({ name }) => name).sort(),
  ['all', 'lanes', 'largest', 'many', 'mean', 'mean.counted', 'own']);
for (const json of layers) {
  const layer = await page.readLayer(json);
  checkResults(layer);
  checkSums(page, layer);
  if (layer.schedule)
    checkTiles(page, layer);
}
console.log(`${layers.length} layers agree`);
