// What the comparisons with ONNX Runtime share: the runtime itself, tensors as .npy files, the cnnc command.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { loadPackage } from '../npm_package.mjs';

export const runtimePackage = 'onnxruntime-node';
export const runtimeVersion = '1.30.0';

/// Element types: name in ONNX Runtime, in .npy files, and the array that holds them.
export const dtypes = [
  ['float32', '<f4', Float32Array], ['float64', '<f8', Float64Array], ['int32', '<i4', Int32Array],
  ['int64', '<i8', BigInt64Array], ['uint8', '|u1', Uint8Array], ['bool', '|b1', Uint8Array],
  ['int8', '|i1', Int8Array], ['int16', '<i2', Int16Array],
];

export const loadRuntime = () => loadPackage(runtimePackage, runtimeVersion);

export function writeNpy(file, tensor) {
  const descr = dtypes.find(([name]) => name === tensor.type)[1];
  const shape = tensor.dims.map((dim) => `${dim},`).join(' ');
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const length = Buffer.alloc(2);
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
  length.writeUInt16LE(padded.length);
  const { buffer, byteOffset, byteLength } = tensor.data;
  fs.writeFileSync(file, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length,
    Buffer.from(padded), Buffer.from(buffer, byteOffset, byteLength)]));
}

export function readNpy(file) {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const dims = /'shape': \(([^)]*)\)/.exec(header)[1].split(',').filter((s) => s.trim()).map(Number);
  const Elements = dtypes.find(([, descr]) => header.includes(`'${descr}'`))[2];
  return { dims, data: new Elements(Uint8Array.from(bytes.subarray(start)).buffer) };
}

/// Runs cnnc and gives what it prints; throws what it says when it fails.
export const run = (cnnc, ...args) => execFileSync(cnnc, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/// What cnnc wrote, in the order of the outputs. An output that no op computes has another name than in the
/// export; the header tells which. `model`: its file and, where they are needed, the options that give it shapes.
export function outputFiles(cnnc, model, folder, names) {
  const file = (name) => path.join(folder, name.replaceAll('/', '_') + '.npy');
  if (names.every((name) => fs.existsSync(file(name))))
    return names.map(file);
  const header = run(cnnc, model.file, ...(model.options ?? []), '--emit=header');
  return [...header.matchAll(/output '([^']+)'/g)].map(([, name]) => file(name));
}
