// A compiled network that looks at a picture: the C interface of cnnc (cnnc_runtime.h) with memory
// around it.
#pragma once

#include "image.h"

#include <cnnc_runtime.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ocr {

/// What a network expects of colours: (value - mean) / deviation for values from 0 to 1. Channels
/// are blue, green, red, as in all networks of PP-OCR.
struct Colours {
  float mean[3], deviation[3];
};

class Network {
public:
  /// Throws std::runtime_error unless the model takes f32[1, 3, height, width] and gives one f32
  /// tensor.
  Network(const cnnc_model_v1 &model, uint32_t threads);

  int height() const { return int(model_.inputs[0].shape[2]); }
  int width() const { return int(model_.inputs[0].shape[3]); }
  std::span<const int64_t> output_shape() const {
    return {model_.outputs[0].shape, model_.outputs[0].rank};
  }

  /// Writes what the network sees from here on to FOLDER/MODEL/PREFIX.0.npy and so on, for
  /// `cnnc --calibrate`.
  void record(const std::filesystem::path &folder, const std::string &prefix);

  /// Shows an image of at most the network's size at its top left; the rest of the input is zero.
  /// Returns the output, valid until the next call. Throws std::runtime_error when the network
  /// cannot run.
  std::span<const float> run(const Image &image, const Colours &colours);

private:
  const cnnc_model_v1 &model_;
  uint32_t threads_;
  std::vector<float> input_, output_;
  std::filesystem::path recorded_; // empty: nothing is
  int recorded_count_ = 0;
  std::unique_ptr<void, void (*)(void *)> workspace_{nullptr, std::free};
};

} // namespace ocr
