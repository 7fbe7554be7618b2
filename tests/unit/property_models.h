// Texts of random models: one per op in all its forms, and networks of several ops.
#pragma once

#include "tests/unit/lowering_cases.h"

namespace cnnc {

/// A kind of model and what makes the text of a random one: model @m, inputs f32, no weights file.
struct ModelMaker {
  const char *name;
  std::string (*make)(Choices &);
  bool of_training = false; // of ops that files of ONNX do not have
};

/// One per op or group of ops, with static shapes.
const std::vector<ModelMaker> &op_model_makers();

/// Ops and networks whose batch is symbolic: f32[n, ...].
const std::vector<ModelMaker> &batch_model_makers();

/// Some blocks of layers behind each other and side by side, with one to four outputs.
std::string random_network(Choices &);

/// Layers between dequantize and quantize; its output are quantised numbers.
std::string random_quantized_network(Choices &);

} // namespace cnnc
