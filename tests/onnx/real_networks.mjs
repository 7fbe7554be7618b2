// Networks that people use, on photos, as cnnc compiles them and as ONNX Runtime runs them:
//
//   node tests/onnx/real_networks.mjs CNNC PHOTO_PIXELS [name ...]
//
// real_networks.json lists them: text detection, recognition and direction of PP-OCR, line detection (M-LSD), face
// detection (BlazeFace), with the shapes that their files leave open, what their inputs mean, and photos (or parts:
// left, top, columns, rows). Every element must satisfy |a - b| <= 2e-4 max(1, max|b|) + 1e-3 |b|. Then the network is
// written as text, which must compile to the same bits. Some networks amplify rounding: where an element is further off,
// ONNX Runtime runs once more on the input changed by a unit in the last place, and the output may also differ by
// twice what that changes; such outputs are reported as ill-conditioned. fetch_networks.py fetches the files.
//
// Exit codes: 0 all agree, 1 some do not, 77 the files or ONNX Runtime cannot be had.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadRuntime, outputFiles, readNpy, run, runtimePackage, runtimeVersion, writeNpy } from './onnxruntime.mjs';
import { skipped } from '../npm_package.mjs';

const folderOfTests = path.dirname(fileURLToPath(import.meta.url));

/// What the inputs mean: the order of dimensions, and each channel's value of a pixel (red, green, blue as bytes).
const scaled = (mean, deviation) => (value, i) => (value / 255 - mean[i]) / deviation[i];
const signed = (value) => value / 127.5 - 1;
const inputs = {
  imagenet_bgr: { planes: true, channels: [2, 1, 0], value: scaled([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) },
  signed_bgr: { planes: true, channels: [2, 1, 0], value: signed },
  signed_rgb: { planes: false, channels: [0, 1, 2], value: signed },
  bytes_rgba: { planes: false, channels: [0, 1, 2, 3], value: (value) => value },
};

function fetchFiles() {
  const fetch = spawnSync('python3', [path.join(folderOfTests, 'fetch_networks.py')], { encoding: 'utf8' });
  if (fetch.status !== 0) {
    console.log(fetch.stderr.trim());
    process.exit(fetch.status === skipped ? skipped : 1);
  }
  return fetch.stdout.trim();
}

/// The photos as one input of these dimensions; several images in a batch, one after the other.
function inputOf(runtime, network, dims, photos, files, photoPixels) {
  const { planes, channels, value } = inputs[network.input];
  const [height, width] = planes ? dims.slice(2) : dims.slice(1, 3);
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  const pixels = height * width;
  photos.forEach((photo, image) => {
    const [file, ...part] = photo.split(' ');
    const bytes = execFileSync(photoPixels, [path.join(files, 'photos', file), String(width), String(height), ...part],
      { maxBuffer: 1 << 30 });
    const start = image * channels.length * pixels;
    for (let i = 0; i < pixels; ++i)
      channels.forEach((source, channel) => {
        const place = planes ? channel * pixels + i : i * channels.length + channel;
        data[start + place] = source === 3 ? 1 : value(bytes[i * 3 + source], channel); // alpha is 1
      });
  });
  return new runtime.Tensor('float32', data, dims);
}

/// How far two tensors are apart: the largest error, the largest value, and how many elements are too far off.
function distance(ours, theirs, noise = 0) {
  if (ours.dims.join() !== theirs.dims.join())
    throw new Error(`the shape [${ours.dims}] of cnnc is not [${theirs.dims}]`);
  let largest = 0, error = 0, wrong = 0;
  for (const value of theirs.data)
    largest = Math.max(largest, Math.abs(value));
  for (let i = 0; i < theirs.data.length; ++i) {
    const off = Math.abs(ours.data[i] - theirs.data[i]);
    error = Math.max(error, off);
    const allowed = 2e-4 * Math.max(1, largest) + 1e-3 * Math.abs(theirs.data[i]) + 2 * noise;
    wrong += !(off <= allowed); // NaN is wrong, too
  }
  return { error, largest, wrong, count: theirs.data.length };
}

/// By how much outputs of ONNX Runtime change when every element of the input does by its rounding error.
async function roundingNoise(session, runtime, input, results) {
  const data = input.data.map((value, i) => value * (1 + (i * 2654435761 % 2 ** 32 < 2 ** 31 ? 2 : -2) * 2 ** -24));
  const changed = await session.run({ [session.inputNames[0]]: new runtime.Tensor('float32', data, input.dims) });
  return Object.fromEntries(session.outputNames.map((name) => [name, distance(changed[name], results[name]).error]));
}

/// Runs one input on both sides. Returns what differs and what was measured.
async function compare(runtime, session, cnnc, model, input, folder) {
  const results = await session.run({ [session.inputNames[0]]: input });
  const inputFile = path.join(folder, 'input.npy');
  writeNpy(inputFile, input);
  const outputs = path.join(folder, 'outputs');
  fs.rmSync(outputs, { recursive: true, force: true });
  run(cnnc, model.file, ...model.options, '--run', inputFile, '--outputs', outputs);
  const problems = [], said = [];
  const files = outputFiles(cnnc, model, outputs, session.outputNames);
  for (const [i, name] of session.outputNames.entries()) {
    const ours = readNpy(files[i]);
    let { error, largest, wrong, count } = distance(ours, results[name]);
    let measured = `${error.toExponential(1)} of ${largest.toPrecision(3)}`;
    if (wrong) {
      const noise = (await roundingNoise(session, runtime, input, results))[name];
      measured += ` (${wrong} of ${count} beyond the tolerance; rounding of the input changes ONNX Runtime's by ${noise.toExponential(1)})`;
      ({ wrong } = distance(ours, results[name], noise));
    }
    said.push(measured);
    if (wrong)
      problems.push(`%${name}: ${wrong} of ${count} elements are too far off, by up to ${error}, the largest is ${largest}`);
  }

  const text = { file: path.join(folder, 'model.ir'), options: [] };
  run(cnnc, model.file, ...model.options, '-o', text.file);
  const again = path.join(folder, 'again');
  fs.rmSync(again, { recursive: true, force: true });
  run(cnnc, text.file, '--run', inputFile, '--outputs', again);
  for (const file of files)
    if (!fs.readFileSync(file).equals(fs.readFileSync(path.join(again, path.basename(file)))))
      problems.push(`${path.basename(file)}: the text gives other bits than the ONNX file`);
  return { problems, said };
}

async function test(runtime, cnnc, network, files, photoPixels, folder) {
  const model = { file: path.join(files, 'networks', network.file), options: network.shape ? ['--shape', network.shape] : [] };
  const session = await runtime.InferenceSession.create(model.file, { logSeverityLevel: 3, intraOpNumThreads: 2 });
  const dims = network.shape ? network.shape.replace('n', network.batch).split('x').map(Number) : session.inputMetadata[0].shape;
  const groups = network.batch ? [network.photos] : network.photos.map((photo) => [photo]);
  const problems = [], said = [];
  for (const photos of groups) {
    const input = inputOf(runtime, network, dims, photos, files, photoPixels);
    const result = await compare(runtime, session, cnnc, model, input, folder);
    problems.push(...result.problems.map((problem) => `${photos.join(', ')}: ${problem}`));
    said.push(...result.said);
  }
  await session.release();
  return { problems, said };
}

async function main() {
  const [cnnc, photoPixels, ...names] = process.argv.slice(2);
  if (!photoPixels) {
    console.log('usage: real_networks.mjs CNNC PHOTO_PIXELS [name ...]');
    process.exit(2);
  }
  const all = JSON.parse(fs.readFileSync(path.join(folderOfTests, 'real_networks.json'), 'utf8'));
  const unknown = names.filter((name) => !all.some((network) => network.name === name));
  if (unknown.length) {
    console.log(`there is no network '${unknown[0]}': ${all.map(({ name }) => name).join(', ')}`);
    process.exit(2);
  }
  const files = fetchFiles(), runtime = loadRuntime();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cnnc-real-'));
  let failed = 0;
  const networks = all.filter(({ name }) => !names.length || names.includes(name));
  try {
    for (const network of networks) {
      let problems, said = [];
      try {
        ({ problems, said } = await test(runtime, path.resolve(cnnc), network, files, photoPixels, folder));
      } catch (error) {
        problems = [String(error.stderr || error.message).trim()];
      }
      failed += problems.length > 0;
      console.log(`${problems.length ? 'FAIL' : 'ok  '} ${network.name}: largest errors ${said.join(', ') || 'unknown'}`);
      for (const problem of problems)
        console.log(`     ${problem}`);
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${networks.length - failed} networks agree with ${runtimePackage} ${runtimeVersion}, ${failed} do not`);
  process.exit(failed ? 1 : 0);
}

await main();
