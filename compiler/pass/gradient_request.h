// What differentiate is asked for (cnnc.h, GradientOptions).
#pragma once

#include <string>
#include <vector>

namespace cnnc {

/// The loss of a model whose output is not one number already.
enum class LossKind { automatic, cross_entropy, mean_squared_error, binary_cross_entropy };

struct GradientRequest {
  std::vector<std::string> of; // weights and inputs, with * and ?; empty: all weights
  LossKind loss = LossKind::automatic;
  double label_smoothing = 0; // of cross_entropy
};

} // namespace cnnc
