#!/bin/bash
# Fuzzes what reads files, each program for some minutes, two at a time:   tests/fuzz/run.sh [MINUTES]   (1 unless given)
# Works in build-asan/, which it builds. Inputs begin as the texts and models of the tests; the files in tests/fuzz/corpus/ were
# findings, and come first. A new finding is left in build-asan/fuzz/ and is a failure: mend it and add it to the corpus.
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:-1}
build=build-asan
folder=$build/fuzz
export ASAN_OPTIONS=allocator_may_return_null=1:use_sigaltstack=0 UBSAN_OPTIONS=print_stacktrace=1
{
  tests/install_packages.sh all
  [ -f $build/build.ninja ] || cmake --preset asan
  cmake --build $build --target cnnc fuzz_text fuzz_onnx fuzz_npy fuzz_safetensors
} >&2
cnnc=build/compiler/driver/cnnc # optimised, if it is there
[ -x $cnnc ] || cnnc=$build/compiler/driver/cnnc
python3 tests/fuzz/make_seeds.py $cnnc $folder/seeds

# fuzz NAME: its findings of before, then new inputs for the time given
fuzz() {
  local program=$build/tests/fuzz/fuzz_$1 known=tests/fuzz/corpus/$1 options=(-timeout=25 -rss_limit_mb=4096 -max_len=4096 -verbosity=0)
  mkdir -p "$folder/corpus/$1" "$folder/findings"
  [ -d "$known" ] || known=$folder/corpus/$1 # nothing has been found yet
  if ! "$program" "${options[@]}" -runs=0 "$known" >"$folder/$1.log" 2>&1 ||
    ! "$program" "${options[@]}" -max_total_time=$((minutes * 60)) -print_final_stats=1 \
      -artifact_prefix="$folder/findings/$1-" "$folder/corpus/$1" "$folder/seeds/$1" "$known" \
      >>"$folder/$1.log" 2>&1; then
    printf 'FAIL %s: a finding in %s/findings, %s\n' "$1" "$folder" "$folder/$1.log"
    tail -40 "$folder/$1.log"
    return 1
  fi
  printf '%-12s %s executions in %s minutes\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$1.log")" "$minutes"
}
export -f fuzz
export build folder minutes
printf '%s\n' text onnx npy safetensors | xargs -P 2 -I NAME bash -c 'fuzz NAME'
