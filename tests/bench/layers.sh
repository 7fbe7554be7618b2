#!/bin/sh
# Time of every kernel of a network:   tests/bench/layers.sh examples/nets/resnet50.ir [--help]
# Builds what it needs in build/, or in the folder that $BUILD names.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
. "$root/tests/bench/build.sh"
{
  build_benchmarks layers_benchmark
} >&2
exec "$build/tests/bench/layers_benchmark" "$@"
