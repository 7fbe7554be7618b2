#!/bin/bash
# From nothing to a trained network: compiles a training step of LeNet, trains it on 8,000 handwritten
# digits, and reads 2,000 others with the weights.
#
#   examples/train/run.sh [options of train.c]     works in build/train/
#   CNNC=path OUT=path examples/train/run.sh       with another compiler, in another folder
set -euo pipefail
cd "$(dirname "$0")/../.."
source examples/train/setup.sh
out=${OUT:-build/train}
mkdir -p "$out"

say "1/4 LeNet to a training step: forwards, backwards and the update, in batches of 64"
"$cnnc" examples/lenet/lenet.ir --train=sgd --batch 64 --name lenet_train -o "$out/lenet_train.so"

say "2/4 the same network to a model that takes its weights as inputs: it reads the held-out digits after each epoch"
awk -v name=lenet_forward -v batch=100 -f examples/train/weights_as_inputs.awk examples/lenet/lenet.ir > "$out/lenet_forward.ir"
"$cnnc" "$out/lenet_forward.ir" -o "$out/lenet_forward.so"

say "3/4 a C program that trains it; no other library than libc is needed"
cc -std=c11 -O2 -I "$out" examples/train/train.c "$out/lenet_train.so" "$out/lenet_forward.so" \
  -Wl,-rpath,'$ORIGIN' -o "$out/train"
ldd "$out/train"
gunzip -c examples/train/training_digits.bin.gz > "$out/training_digits.bin"
"$out/train" --state "$out/lenet.safetensors" "$@" "$out/training_digits.bin" examples/lenet/held_out_digits.bin

say "4/4 the weights that came out, compiled and read by the program of examples/lenet"
"$cnnc" examples/lenet/lenet.ir --weights "$out/lenet.safetensors" -o "$out/lenet.so"
cc -std=c11 -O2 -I "$out" examples/lenet/read_digits.c -ldl -o "$out/read_digits"
"$out/read_digits" "$out/lenet.so" examples/lenet/held_out_digits.bin
