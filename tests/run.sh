#!/bin/bash
# Installs what is missing, builds into build/, runs every test, and ends with one summary.
#
#   tests/run.sh             everything
#   tests/run.sh -R driver   only tests whose names match: the arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== packages"
tests/install_packages.sh all

echo "== building into build/"
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCNNC_BUILD_TESTS=ON
cmake --build build

echo "== testing"
rm -f build/ctest.xml build/tests/lit.xml
jobs=$(nproc)
ctest --test-dir build -j "$jobs" --output-on-failure --no-tests=error \
  --output-junit "$PWD/build/ctest.xml" "$@" || true
exec python3 tests/summary.py build/ctest.xml build/tests/lit.xml
