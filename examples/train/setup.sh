# Sourced by the scripts of this folder, in the root of the tree: $cnnc is the compiler, built where there is none yet.
say() { printf '\n== %s\n' "$*"; }

cnnc=${CNNC:-build/compiler/driver/cnnc}
if [ ! -x "$cnnc" ]; then
  say "the compiler (the first build takes some minutes)"
  tests/install_packages.sh build
  cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCNNC_BUILD_TESTS=OFF
  cmake --build build --target cnnc
fi
