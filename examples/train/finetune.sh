#!/bin/bash
# A network for one task learns another: PP-OCR's classifier of texts that stand upside down, an ONNX file from npm,
# learns to tell odd digits from even ones. Only its last block and its last layer are trained.
#
#   examples/train/finetune.sh                          works in build/finetune/
#   CNNC=path OUT=path examples/train/finetune.sh       with another compiler, in another folder
#
# Exit code 77: the network cannot be fetched.
set -euo pipefail
cd "$(dirname "$0")/../.."
source examples/train/setup.sh
out=${OUT:-build/finetune}
mkdir -p "$out"
fetched=$(python3 tests/onnx/fetch_networks.py)
network=$fetched/networks/ch_ppocr_mobile_v2.0_cls_infer.onnx
shape=32x3x48x48 # a digit is as high as a line of text, but not as wide

# The layers that learn: the last inverted residual, the convolution behind it, and the classifier. Their names are
# those of the file; $out/network.ir, which step 1 writes, shows all of them.
layers=(conv2d_{47..52} batch_norm_{31..34} fc_0)

say "1/5 the network as text, its weights beside it: what the training begins with"
"$cnnc" "$network" --shape $shape -o "$out/network.ir"

say "2/5 the ONNX file to a training step of ${#layers[@]} layers; all other weights are constants"
"$cnnc" "$network" --shape $shape --train=sgd --freeze="*$(printf ',!%s.*' "${layers[@]}")" --name parity_train \
  -o "$out/parity_train.so"

say "3/5 the network with the weights of these layers as inputs: it reads the held-out digits after each epoch"
awk -v name=parity_forward -v weights="^($(IFS='|' && echo "${layers[*]}"))[.]" -f examples/train/weights_as_inputs.awk \
  "$out/network.ir" > "$out/parity_forward.ir"
"$cnnc" "$out/parity_forward.ir" --weights "$out/network.safetensors" -o "$out/parity_forward.so"

say "4/5 a C program that trains it; no other library than libc is needed"
cc -std=c11 -O2 -I "$out" examples/train/finetune.c "$out/parity_train.so" "$out/parity_forward.so" \
  -Wl,-rpath,'$ORIGIN' -ldl -o "$out/finetune"
ldd "$out/finetune"
gunzip -c examples/train/training_digits.bin.gz > "$out/training_digits.bin"
"$out/finetune" "$out/training_digits.bin" examples/lenet/held_out_digits.bin "$out/network.safetensors" "$out/trained.safetensors"

say "5/5 the ONNX file with the new weights over its own, compiled like any other model"
"$cnnc" "$network" --shape $shape --weights "$out/trained.safetensors" --name parity -o "$out/parity.so"
"$out/finetune" --read "$out/parity.so" examples/lenet/held_out_digits.bin
