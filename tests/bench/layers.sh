#!/bin/sh
# Time of every kernel of a network:   tests/bench/layers.sh examples/nets/resnet50.ir [--help]
# Builds what it needs in build/, or in the folder that $BUILD names.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
{
  [ -f "$build/build.ninja" ] || cmake -S "$root" -B "$build" -G Ninja
  ninja --quiet -C "$build" tests/bench/layers_benchmark
} >&2
exec "$build/tests/bench/layers_benchmark" "$@"
