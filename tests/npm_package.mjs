// Packages of npm that tests are compared with or driven by.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

/// The exit code of a test that cannot run here.
export const skipped = 77;

/// A package, installed once, without scripts, into ${XDG_CACHE_HOME:-~/.cache}/cnnc. Ends the process with `skipped` when it
/// is not there and cannot be installed.
export function loadPackage(name, version) {
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  const folder = path.join(cache, 'cnnc', `${name}-${version}`);
  if (!fs.existsSync(path.join(folder, 'node_modules', name))) {
    fs.mkdirSync(folder, { recursive: true });
    const npm = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder,
      `${name}@${version}`], { encoding: 'utf8', timeout: 300_000 });
    if (npm.status !== 0) {
      console.log(`skipped: npm could not install ${name}@${version}: ` +
        `${npm.error?.message ?? npm.stderr.split('\n').filter((line) => /^npm err/i.test(line)).join('; ')}`);
      process.exit(skipped);
    }
  }
  return createRequire(path.join(folder, 'package.json'))(name);
}
