#!/bin/sh
# cnnc against ONNX Runtime on the networks of examples/nets or on ONNX files, in turn in one run. README.md
# says how to read what it prints.
#
#   tests/bench/run.sh                       all fourteen, about twelve minutes
#   tests/bench/run.sh resnet50 vgg16        some; --help for more
#   tests/bench/run.sh real                  networks that people use, ONNX files from npm
#   tests/bench/run.sh model.onnx@1x3x640x640
#
# Builds what it needs in build/, or in the folder that $BUILD names; installs ONNX Runtime from npm
# into $XDG_CACHE_HOME/cnnc (default ~/.cache/cnnc) when it is not there.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
. "$root/tests/bench/build.sh"
onnxruntime_version=1.30.0
onnxruntime=${XDG_CACHE_HOME:-$HOME/.cache}/cnnc/onnxruntime-node-$onnxruntime_version
{
  build_benchmarks cnnc jit_server library_server
  if ! [ -f "$onnxruntime/installed" ]; then
    command -v npm >/dev/null || { echo "run.sh: error: ONNX Runtime comes from npm, which is not installed"; exit 1; }
    mkdir -p "$onnxruntime"
    # Without its install script, which only fetches what the CPU does not need.
    npm install --ignore-scripts --no-audit --no-fund --prefix "$onnxruntime" "onnxruntime-node@$onnxruntime_version"
    : >"$onnxruntime/installed"
  fi
} >&2
exec python3 "$root/tests/bench/compare.py" --root "$root" --build "$build" --onnxruntime "$onnxruntime" "$@"
