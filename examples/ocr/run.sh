#!/bin/bash
# From nothing to read text: installs what is missing, builds the compiler, fetches the networks from npm, compiles
# them into build/ocr/ocr, and reads a photo with it.
#
#   examples/ocr/run.sh                        a photo of a circuit board, from Debian's opencv-doc
#   examples/ocr/run.sh photo.jpg [options]    another; `--help` lists the options
#
# What it fetches stays in ${XDG_CACHE_HOME:-~/.cache}/cnnc. $BUILD names another folder than build/.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
{
  "$root/tests/install_packages.sh" all
  cache=$(python3 "$root/tests/onnx/fetch_networks.py")
  [ -f "$build/build.ninja" ] || cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release
  cmake --build "$build" --target cnnc
  cmake --install "$build" --prefix "$build/ocr/prefix"
  cmake -S "$root/examples/ocr" -B "$build/ocr" -G Ninja -DCMAKE_PREFIX_PATH="$build/ocr/prefix" \
    -DOCR_NETWORKS="$cache/networks"
  cmake --build "$build/ocr"
} >&2
if [ $# -eq 0 ]; then
  set -- "$cache/photos/board.jpg" --time -o "$build/ocr/board.png"
  echo "$build/ocr/ocr $*" >&2
fi
exec "$build/ocr/ocr" "$@"
