#include "network.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>

namespace ocr {

Network::Network(const cnnc_model_v1 &model, uint32_t threads) : model_(model), threads_(threads) {
  auto is_float = [](const cnnc_tensor_v1 &tensor) { return tensor.dtype == CNNC_F32; };
  if (model.input_count != 1 || model.output_count != 1 || !is_float(model.inputs[0]) ||
      !is_float(model.outputs[0]) || model.inputs[0].rank != 4 || model.inputs[0].shape[0] != 1 ||
      model.inputs[0].shape[1] != 3)
    throw std::runtime_error(std::string(model.name) + " does not look at one picture");
  input_.resize(model.inputs[0].size / sizeof(float));
  output_.resize(model.outputs[0].size / sizeof(float));
  const size_t alignment = model.workspace_alignment;
  const size_t size = std::max<size_t>(cnnc_workspace_size(&model, threads), 1);
  workspace_.reset(std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment));
  if (!workspace_)
    throw std::bad_alloc();
}

void Network::record(const std::filesystem::path &folder, const std::string &prefix) {
  std::filesystem::create_directories(folder / model_.name);
  recorded_ = folder / model_.name / prefix;
}

/// NumPy's format, version 1.0, little-endian.
static void write_npy(const std::filesystem::path &file, std::span<const float> numbers,
                      const cnnc_tensor_v1 &tensor) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < tensor.rank; ++i)
    header += std::to_string(tensor.shape[i]) + ", ";
  header += ")}";
  header.resize((header.size() + 10) / 64 * 64 + 53, ' '); // 10 bytes before it, and a line break
  header += '\n';
  std::ofstream out(file, std::ios::binary);
  out << "\x93NUMPY\x01" << '\0' << char(header.size() % 256) << char(header.size() / 256)
      << header;
  out.write(reinterpret_cast<const char *>(numbers.data()), std::streamsize(numbers.size_bytes()));
  if (!out.flush())
    throw std::runtime_error(file.string() + ": cannot be written");
}

std::span<const float> Network::run(const Image &image, const Colours &colours) {
  if (image.width > width() || image.height > height())
    throw std::runtime_error("a picture is larger than the network's input");
  std::ranges::fill(input_, 0.0f);
  for (int c = 0; c < 3; ++c) {
    const float scale = 1 / (255 * colours.deviation[c]);
    const float shift = -colours.mean[c] / colours.deviation[c];
    float *plane = &input_[size_t(c) * height() * width()];
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x)
        plane[size_t(y) * width() + x] = image.at(x, y)[2 - c] * scale + shift;
  }
  if (!recorded_.empty())
    write_npy(recorded_.string() + "." + std::to_string(recorded_count_++) + ".npy", input_,
              model_.inputs[0]);
  cnnc_context context = {};
  context.threads = threads_;
  const void *const inputs[] = {input_.data()};
  void *const outputs[] = {output_.data()};
  if (cnnc_status status = model_.run(inputs, outputs, workspace_.get(), &context))
    throw std::runtime_error(std::string(model_.name) + " cannot run: status " +
                             std::to_string(status) +
                             (status == CNNC_UNSUPPORTED_CPU ? ", it is for another CPU" : ""));
  return output_;
}

} // namespace ocr
