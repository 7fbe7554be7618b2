#!/bin/bash
# Installs what is missing, builds twice, tests both, and ends with one summary:
#   build/       optimised: everything
#   build-asan/  with assertions and the sanitizers of addresses and undefined behaviour: unit and lit tests, but for a few
#                that take too long there, and a minute of each fuzzer
#
#   tests/run.sh             everything
#   tests/run.sh -R driver   only tests of build/ whose names match: the arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
# Where nothing is cached yet ccache would read all headers once more, to learn what the compiler tells as well.
export CCACHE_DEPEND=1

say() { printf '== %s, %s s\n' "$*" "$SECONDS"; }

# build_and_test PRESET FOLDER [options of ctest]
build_and_test() {
  local preset=$1 folder=$2
  shift 2
  say "building $folder/"
  cmake --preset "$preset"
  cmake --build "$folder"
  say "testing $folder/"
  rm -f "$folder"/ctest.xml "$folder"/tests/lit.xml
  ctest --preset "$preset" -j "$jobs" --no-tests=error \
    --output-junit "$PWD/$folder/ctest.xml" "$@" || true
}

say "packages"
tests/install_packages.sh all
build_and_test dev build "$@"
[ $# -eq 0 ] || exec python3 tests/summary.py build
# Not those that compile or interpret for minutes: unoptimised and with sanitizers that takes 15 times as long. Nor checks of
# the sources, which are the same in both.
LIT_FILTER_OUT='meta/|driver/passes|driver/profile|driver/compare_schedules|driver/explain|run/winograd|graph_passes/verify|run/networks|run/edited_schedules|run/gradients|run/wide|ir/feed_back|ir/round_trip|driver/growth' build_and_test asan build-asan --label-regex '^(unit|lit|fuzz)$' --exclude-regex '^(property|gradients|loop_passes|lowering|quantized|resize)_test|TextFuzz|WinogradTile.IsOff|RandomGraphs|GivesTheSameBits|Override.LegalSchedulesOfResNet|Calibrate.LeNet'
exec python3 tests/summary.py build build-asan
