#!/bin/sh
# What fusing pools into convolutions is worth, kernel by kernel:   tests/bench/fusion.sh [NETWORK.ir ...]
# Builds what it needs in build/, or in the folder that $BUILD names. Default: LeNet and VGG-16.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
. "$root/tests/bench/build.sh"
{
  build_benchmarks fusion_benchmark
} >&2
if [ $# -eq 0 ]; then
  "$build/tests/bench/fusion_benchmark" "$root/examples/lenet/lenet.ir" 1000
  set -- "$root/examples/nets/vgg16.ir"
fi
for network; do
  "$build/tests/bench/fusion_benchmark" "$network"
done
