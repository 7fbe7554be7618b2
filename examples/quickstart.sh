#!/bin/bash
# From nothing to read digits: installs what is missing, builds the compiler, compiles LeNet with its trained
# weights to one library, and reads handwritten digits with it from a C program.
#
#   examples/quickstart.sh          works in build/; a second run takes seconds
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

say "1/4 packages"
tests/install_packages.sh build

say "2/4 the compiler (the first build takes some minutes)"
if [ ! -f build/build.ninja ]; then
  cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCNNC_BUILD_TESTS=OFF
fi
cmake --build build --target cnnc

say "3/4 LeNet: examples/lenet/lenet.ir and its weights to build/lenet/lenet.so and lenet.h"
mkdir -p build/lenet
build/compiler/driver/cnnc examples/lenet/lenet.ir -o build/lenet/lenet.so
cc -std=c11 -O2 -I build/lenet examples/lenet/read_digits.c -ldl -o build/lenet/read_digits

say "4/4 2,000 handwritten digits that the training never saw"
build/lenet/read_digits build/lenet/lenet.so examples/lenet/held_out_digits.bin

say "build/lenet/lenet.so: $(stat -c %s build/lenet/lenet.so) bytes; what it needs from the system:"
ldd build/lenet/lenet.so
