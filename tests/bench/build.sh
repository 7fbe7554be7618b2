# Sourced by the benchmarks: build_benchmarks TARGET ... builds them in $build, and installs and configures what
# a folder lacks that examples/quickstart.sh has made, without tests.
build_benchmarks() {
  grep -qs 'CNNC_BUILD_TESTS:BOOL=ON' "$build/CMakeCache.txt" || {
    "$root/tests/install_packages.sh" all
    cmake -S "$root" -B "$build" -G Ninja -DCNNC_BUILD_TESTS=ON
  }
  ninja --quiet -C "$build" "$@"
}
