// Runs an ONNX file with ONNX Runtime as run.sh commands: see server.h for the protocol.
//
//   node onnxruntime_server.js FOLDER-OF-NPM NETWORK.onnx INPUT 1,3,224,224 THREADS...
//
// Dimensions of the input that the file leaves open are fixed when it is loaded, as in the compiled network. One session per number of threads, on the same input and output tensors, allocated once.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');

const [folder, network, inputFile, shapeText, ...threadCounts] = process.argv.slice(2);
const ort = require(path.join(folder, 'node_modules', 'onnxruntime-node'));

function floatsOf(file) {
  const bytes = fs.readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

// ONNX Runtime at its best: all optimisations of the graph, threads that spin while it runs.
function options(threads, freeDimensionOverrides) {
  return {
    freeDimensionOverrides,
    logSeverityLevel: 3,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    extra: {session: {intra_op: {allow_spinning: '1'}}},
  };
}

async function openDimensions(shape) {
  const session = await ort.InferenceSession.create(network, options(1, {}));
  const open = {};
  session.inputMetadata[0].shape.forEach((size, i) => {
    if (typeof size === 'string') open[size] = shape[i];
  });
  await session.release();
  return open;
}

async function main() {
  const shape = shapeText.split(',').map(Number);
  const dimensions = await openDimensions(shape);
  const sessions = {};
  for (const threads of threadCounts)
    sessions[threads] = await ort.InferenceSession.create(network, options(Number(threads), dimensions));
  const [session] = Object.values(sessions);
  const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', floatsOf(inputFile), shape)};
  const name = session.outputNames[0];
  const fetches = {[name]: (await session.run(feeds))[name]};

  async function timeRuns(threads, count) {
    await sessions[threads].run(feeds, fetches);
    const wall = [];
    const cpu = [];
    for (let i = 0; i < count; ++i) {
      const before = process.cpuUsage();
      const start = process.hrtime.bigint();
      await sessions[threads].run(feeds, fetches);
      wall.push(Number(process.hrtime.bigint() - start) * 1e-9);
      const {user, system} = process.cpuUsage(before);
      cpu.push((user + system) * 1e-6);
    }
    return [wall, cpu];
  }

  async function answer(line) {
    const [command, first, second] = line.split(' ');
    if (command === 'run') return timeRuns(first, Number(second));
    if (command === 'memory') return process.resourceUsage().maxRSS * 1024;
    if (command !== 'output') throw new Error(`no such command: ${line}`);
    const data = fetches[name].data;
    fs.writeFileSync(first, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    return true;
  }

  const say = (value) => fs.writeSync(1, JSON.stringify(value) + '\n');
  say({});
  for await (const line of readline.createInterface({input: process.stdin})) say(await answer(line));
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
