// What the generators of random models share: the text of a model, windows, shapes, parts of
// models.
#pragma once

#include "tests/unit/elementwise_cases.h"
#include "tests/unit/property_models.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc::random_models {

using Shape = std::vector<int64_t>;

std::string list(const Shape &numbers);

/// Writes a model statement by statement. Names are %x0, %x1 ... for inputs, %v0 ... for the rest.
class Writer {
public:
  /// `symbolic`: the first dimension of inputs is called n.
  explicit Writer(bool symbolic = false) : symbolic_(symbolic) {}

  bool symbolic() const { return symbolic_; }

  std::string input(const Shape &shape, bool batched = true) {
    std::string name = fmt::format("%x{}", inputs_.size());
    std::string type = list(shape);
    if (symbolic_ && batched)
      type = "[n" + type.substr(type.find_first_of(",]"));
    inputs_.push_back(fmt::format("{}: f32{}", name, type));
    return name;
  }
  /// `expression` without `%v =`.
  std::string value(const std::string &expression) {
    std::string name = fmt::format("%v{}", count_++);
    body_ += fmt::format("  {} = {}\n", name, expression);
    return name;
  }
  std::vector<std::string> values(size_t count, const std::string &expression) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i)
      names.push_back(fmt::format("%v{}", count_++));
    body_ += fmt::format("  {} = {}\n", fmt::join(names, ", "), expression);
    return names;
  }
  /// In [0.5, 1.5), or normal with standard deviation sqrt(2 / fan_in).
  std::string uniform(const Shape &shape) { return constant(shape, "uniform"); }
  std::string normal(const Shape &shape) { return constant(shape, "he"); }

  std::string model(const std::vector<std::string> &outputs) const {
    return fmt::format("model @m({}) {{\n{}  return {}\n}}\n", fmt::join(inputs_, ", "), body_,
                       fmt::join(outputs, ", "));
  }

private:
  std::string constant(const Shape &shape, const char *kind) {
    return value(fmt::format("random({}, {}) : f32{}", ++seed_, kind, list(shape)));
  }

  bool symbolic_;
  std::vector<std::string> inputs_;
  std::string body_;
  int count_ = 0, seed_ = 0;
};

std::string one_op(Writer &writer, const std::string &expression);

/// A filter or bias: a constant, seldom an input.
std::string parameter(Choices &r, Writer &writer, const Shape &shape);

struct Conv {
  Shape input;
  int64_t oc = 1, groups = 1;
  Shape kernel = {1, 1}, stride = {1, 1}, pad = {0, 0, 0, 0}, dilation = {1, 1};

  int64_t output(size_t i) const {
    return (input[2 + i] + pad[i] + pad[2 + i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
  }
  /// Makes the input large enough for the output to be at least this long.
  void widen(size_t i, int64_t least) {
    int64_t needed = dilation[i] * (kernel[i] - 1) + 1 + (least - 1) * stride[i];
    input[2 + i] = std::max<int64_t>({1, input[2 + i], needed - pad[i] - pad[2 + i]});
  }
  Shape filter() const { return {oc, input[1] / groups, kernel[0], kernel[1]}; }
  std::string attributes() const {
    std::string text;
    if (stride != Shape{1, 1})
      text += " stride=" + list(stride);
    if (pad != Shape{0, 0, 0, 0})
      text += " pad=" + list(pad);
    if (dilation != Shape{1, 1})
      text += " dilation=" + list(dilation);
    return text + (groups > 1 ? fmt::format(" groups={}", groups) : "");
  }
  std::string write(Choices &r, Writer &writer, const std::string &x) const {
    std::string text = fmt::format("conv2d {}, {}", x, parameter(r, writer, filter()));
    if (r.flip())
      text += ", " + parameter(r, writer, {oc});
    return text + attributes();
  }
};

/// Windows of all kinds for an input of [n, c, h, w], which grows when it is too small.
void choose_window(Choices &r, Conv &conv);

Shape image(Choices &r);

/// A shape of any rank.
Shape any_shape(Choices &r, int64_t least_rank = 0);

std::string batch_norm_of(Choices &r, Writer &writer, const std::string &x, int64_t channels);

std::string slice_of(Choices &r, const std::string &x, const Shape &shape, size_t first_axis);

std::string pad_of(Choices &r, const std::string &x, const Shape &shape, size_t first_axis);

// Of property_windows.cpp: models of one convolution or pool.
std::string conv2d(Choices &r);
std::string conv2d_tiles(Choices &r);
std::string conv2d_3x3(Choices &r);
std::string winograd_conv2d(Choices &r);
std::string grouped_conv2d(Choices &r);
std::string depthwise_conv2d(Choices &r);
std::string conv2d_filter_gradient(Choices &r);
std::string conv_transpose2d(Choices &r);
std::string local2d(Choices &r);
std::string max_pool2d(Choices &r);
std::string avg_pool2d(Choices &r);
std::string max_pool2d_indices(Choices &r);
std::string batched_conv2d(Choices &r);
std::string batched_conv_transpose2d(Choices &r);

// Of property_reductions.cpp: models of one op, or of a product and what follows it in its kernel.
std::string matmul(Choices &r);
std::string large_matmul(Choices &r);
std::string layer_norm(Choices &r);
std::string instance_norm(Choices &r);
std::string group_norm(Choices &r);
std::string lrn(Choices &r);
std::string reduce(Choices &r);
std::string arg(Choices &r);
std::string top_k(Choices &r);
std::string expand(Choices &r);
std::string batched_reduction(Choices &r);

// Of property_training.cpp.
std::string max_pool2d_gradient(Choices &r);
std::string scatter_add(Choices &r);
std::string resize2d_gradient(Choices &r);
std::string random_uniform(Choices &r);

/// A network, with a symbolic batch or without.
std::string network(Choices &r, bool symbolic);

} // namespace cnnc::random_models
