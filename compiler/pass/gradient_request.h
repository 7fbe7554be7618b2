// What differentiate is asked for (cnnc.h, GradientOptions).
#pragma once

#include <string>
#include <vector>

namespace cnnc {

/// The loss of a model whose output is not one number already.
enum class LossKind { automatic, cross_entropy, mean_squared_error, binary_cross_entropy };

enum class OptimizerKind { sgd, adamw };

/// How weights follow their gradients (cnnc.h, TrainingOptions).
struct OptimizerRequest {
  OptimizerKind kind = OptimizerKind::sgd;
  double momentum = 0.9;                             // of sgd
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8; // of adamw
  double weight_decay = 0;
  std::vector<std::string> freeze; // weights that stay as they are, with * and ?, ! takes back
};

struct GradientRequest {
  std::vector<std::string> of; // weights and inputs, with * and ?; empty: all weights
  LossKind loss = LossKind::automatic;
  double label_smoothing = 0;      // of cross_entropy
  OptimizerRequest optimizer = {}; // of make_training_step
};

} // namespace cnnc
