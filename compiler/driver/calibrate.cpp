#include "compiler/driver/calibrate.h"

#include "compiler/driver/json_text.h"
#include "compiler/driver/tensors.h"
#include "ir/text/files.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <glob.h>
#include <iostream>

namespace cnnc::driver {

namespace {

/// Names of files in the order of the alphabet.
std::vector<std::string> files_of(const std::string &pattern) {
  glob_t found = {};
  std::vector<std::string> files;
  if (glob(pattern.c_str(), GLOB_TILDE, nullptr, &found) == 0)
    files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return files;
}

/// Files of one image each, or of several behind each other in the first dimension.
class ImageFiles {
public:
  ImageFiles(const CommandLine &line, std::vector<std::string> files)
      : line_(line), files_(std::move(files)) {}

  /// An ImageReader.
  Result<std::optional<std::vector<Bytes>>> next(const cnnc_model_v1 &model) {
    if (model.input_count != 1)
      return Error{fmt::format("cnnc: error: --calibrate reads images for one input, but the model "
                               "@{} has {}\n",
                               model.name, model.input_count)};
    const size_t size = model.inputs[0].size;
    while (left_.size() < size) {
      if (file_ == files_.size()) {
        file_ = 0;
        return std::optional<std::vector<Bytes>>();
      }
      if (Result<void> opened = open(files_[file_++], model.inputs[0]); !opened)
        return Error{std::string(opened.error())};
    }
    Bytes image(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(size));
    left_ = left_.subspan(size);
    return std::optional(std::vector<Bytes>{std::move(image)});
  }

private:
  Result<void> open(const std::string &file, const cnnc_tensor_v1 &input) {
    if (line_.options.progress)
      line_.options.progress("files read", file_ - 1, files_.size());
    Diagnostics diagnostics;
    std::optional<NpyArray> array = read_npy(file, diagnostics);
    if (!array)
      return Error{diagnostics.to_string()};
    cnnc_tensor_v1 expected = input;
    std::vector<int64_t> shape = shape_of(input, 1);
    if (array->shape.size() == shape.size() && !shape.empty() && shape[0] > 0 &&
        array->shape[0] % shape[0] == 0)
      shape[0] = array->shape[0];
    expected.shape = shape.data();
    std::optional<int64_t> batch;
    Result<Bytes> bytes = take_tensor(std::move(*array), file, "input", expected, batch);
    if (!bytes)
      return Error{std::string(bytes.error())};
    content_ = std::move(*bytes);
    left_ = content_;
    return {};
  }

  const CommandLine &line_;
  std::vector<std::string> files_;
  size_t file_ = 0; // to be opened next
  Bytes content_;
  std::span<const std::byte> left_; // of that
};

std::string format_decibels(double error) {
  return error > 0 ? fmt::format("{:.1f}", CalibratedLayer::signal_to_noise(error)) : "exact";
}

size_t quantized_count(const Calibration &calibration) {
  return static_cast<size_t>(
      std::ranges::count(calibration.layers, true, &CalibratedLayer::quantized));
}

std::string table(const Calibration &calibration) {
  std::string text = fmt::format("{:<40} {:<8} {:>10} {:>9} {:>10} {:>14}\n", "layer", "op",
                                 "arithmetic", "channels", "own SNR dB", "output SNR dB");
  for (const CalibratedLayer &layer : calibration.layers)
    text += fmt::format("{:<40} {:<8} {:>10} {:>9} {:>10} {:>14}\n", "%" + layer.value, layer.op,
                        layer.quantized ? "integer" : "float", layer.equalized ? "equalized" : "",
                        format_decibels(layer.result_error), format_decibels(layer.output_error));
  return text +
         fmt::format("\nall together: output SNR {} dB, relative error {:.3g}; {} of {} layers "
                     "in integers, {} image{}\n",
                     format_decibels(calibration.error), calibration.error,
                     quantized_count(calibration), calibration.layers.size(), calibration.images,
                     calibration.images == 1 ? "" : "s");
}

std::string json(const Calibration &calibration) {
  nlohmann::ordered_json json = {{"images", calibration.images},
                                 {"output_error", calibration.error},
                                 {"quantized", quantized_count(calibration)}};
  json["layers"] = nlohmann::ordered_json::array();
  for (const CalibratedLayer &layer : calibration.layers)
    json["layers"].push_back({{"layer", layer.value},
                              {"op", layer.op},
                              {"quantized", layer.quantized},
                              {"equalized", layer.equalized},
                              {"own_error", layer.result_error},
                              {"output_error", layer.output_error}});
  return json_text(json, 2);
}

} // namespace

Result<void> calibrate(const CommandLine &line, const Model &model) {
  std::vector<std::string> files = files_of(line.images);
  if (files.empty())
    return Error{
        fmt::format("cnnc: error: no file matches '{}': --calibrate takes the .npy files of "
                    "images, as in --calibrate 'images/*.npy'\n",
                    line.images)};
  ImageFiles images(line, std::move(files));
  CalibrateOptions how = line.calibrate;
  how.threads = line.threads;
  Result<Calibration> calibration = cnnc::calibrate(
      model, [&](const cnnc_model_v1 &table) { return images.next(table); }, how, line.options);
  if (!calibration)
    return Error{std::string(calibration.error())};
  if (Result<void> written = write_ir(calibration->model, line.output); !written)
    return written;
  if (line.json_file != "-")
    std::cout << table(*calibration) << std::flush;
  Diagnostics diagnostics;
  if (!line.json_file.empty() &&
      !write_file_atomically(line.json_file, json(*calibration), diagnostics))
    return Error{diagnostics.to_string()};
  return {};
}

} // namespace cnnc::driver
