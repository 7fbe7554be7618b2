// Random quantised networks: layers between dequantize and quantize, as exporters write them.
#include "tests/unit/property_writer.h"

#include <algorithm>

namespace cnnc {

using namespace random_models;

namespace {

/// Writes layers behind each other: `numbers` is what the last one has quantised.
class QuantizedLayers {
public:
  explicit QuantizedLayers(Choices &r) : r_(r) {}

  std::string network() {
    shape_ = {r_.between(1, 2), r_.between(1, 20), r_.between(4, 12), r_.between(4, 12)};
    quantize(writer_.input(shape_));
    for (int64_t i = r_.between(1, 2); i > 0; --i)
      layer();
    if (r_.flip())
      head();
    return writer_.model({numbers_});
  }

private:
  /// Steps get twice as wide each time, so that two programs that differ by one of them still do in
  /// the next layer, and a bit more: few numbers lie in the middle of two.
  void quantize(const std::string &value, bool positive = false) {
    scale_ *= 2.03;
    type_ = r_.one_of({"u8", "i8"});
    const int64_t least = type_ == "u8" ? 0 : -128;
    const int64_t zero_point = positive ? least : least + r_.between(100, 150);
    parameters_ = fmt::format(" scale={} zero_point={}", scale_, zero_point);
    numbers_ = writer_.value(fmt::format("quantize {}{} to={}", value, parameters_, type_));
  }
  /// The same of a product with numbers of this scale, whose largest multiply what differs.
  void quantize_product(const std::string &value, double scale) {
    scale_ *= std::max(1.0, 128 * scale);
    quantize(value);
  }
  std::string dequantized() {
    return writer_.value(fmt::format("dequantize {}{}", numbers_, parameters_));
  }

  /// As i8 with a scale for all, or for each output channel.
  std::string weights(const Shape &shape) {
    const std::string floats = writer_.normal(shape);
    std::string scale = " scale=0.011", scales;
    if (r_.flip()) {
      const std::string small = writer_.value("splat 0.01 : f32[]");
      scales = ", " + writer_.value(fmt::format("mul {}, {}", writer_.uniform({shape[0]}), small));
      scale = " axis=0";
    }
    const std::string integers =
        writer_.value(fmt::format("quantize {}{}{} to=i8", floats, scales, scale));
    return writer_.value(fmt::format("dequantize {}{}{}", integers, scales, scale));
  }

  void layer() {
    switch (r_.between(0, 7)) {
    case 0:
      return pool();
    case 1:
      return activation();
    case 2:
      return resize();
    default:
      break;
    }
    const std::string input = dequantized();
    const bool depthwise = r_.between(0, 2) == 0;
    const int64_t channels = shape_[1], outputs = depthwise ? channels : r_.between(1, 24);
    const int64_t kernel = r_.one_of({1, 3}), stride = r_.between(1, 2);
    const Shape filter = {outputs, depthwise ? 1 : channels, kernel, kernel};
    std::string operands = input + ", " + weights(filter);
    if (r_.flip())
      operands += ", " + writer_.normal({outputs});
    const int64_t pad = kernel / 2;
    std::string value = writer_.value(
        fmt::format("conv2d {} stride=[{}, {}] pad=[{}, {}, {}, {}] groups={}", operands, stride,
                    stride, pad, pad, pad, pad, depthwise ? channels : 1));
    shape_ = {shape_[0], outputs, (shape_[2] - 1) / stride + 1, (shape_[3] - 1) / stride + 1};
    finish(value, stride == 1 && outputs == channels ? input : "");
  }

  /// What follows a convolution, up to the next quantize.
  void finish(std::string value, const std::string &shortcut) {
    if (!shortcut.empty() && r_.flip()) {
      quantize(value);
      value = writer_.value(fmt::format("add {}, {}", dequantized(), shortcut));
    }
    const bool positive = r_.flip();
    if (positive)
      value =
          writer_.value(r_.flip() ? "relu " + value : fmt::format("clip {} min=0 max=6", value));
    quantize(value, positive);
  }

  void pool() {
    const std::string input = dequantized();
    const std::string value =
        writer_.value(fmt::format("max_pool2d {} kernel=[2, 2] stride=[2, 2]", input));
    shape_ = {shape_[0], shape_[1], shape_[2] / 2, shape_[3] / 2};
    numbers_ = writer_.value(fmt::format("quantize {}{} to={}", value, parameters_, type_));
  }

  /// Of a number that is quantised already; where two of them meet, each is.
  void activation() {
    const std::string input = dequantized();
    const std::string function =
        r_.one_of<std::string>({"sigmoid", "tanh", "hard_swish", "hard_sigmoid"});
    const double scale = scale_;
    quantize(writer_.value(function + " " + input));
    if (r_.flip())
      quantize_product(writer_.value(fmt::format("mul {}, {}", input, dequantized())), scale);
  }

  void resize() {
    shape_ = {shape_[0], shape_[1], r_.between(1, 12), r_.between(1, 12)};
    quantize(
        writer_.value(fmt::format("resize2d {} sizes=[{}, {}] mode={}", dequantized(), shape_[2],
                                  shape_[3], r_.one_of<std::string>({"nearest", "linear"}))));
  }

  /// The channels of each image, each times each other.
  void gram() {
    const std::string numbers = dequantized();
    const std::string rows = writer_.value(fmt::format(
        "reshape {} shape=[{}, {}, {}]", numbers, shape_[0], shape_[1], shape_[2] * shape_[3]));
    const std::string columns =
        writer_.value(fmt::format("transpose {} permutation=[0, 2, 1]", rows));
    quantize_product(writer_.value(fmt::format("matmul {}, {}", rows, columns)), scale_);
  }

  void head() {
    if (r_.between(0, 2) == 0)
      return gram();
    quantize(writer_.value("global_avg_pool2d " + dequantized()));
    const std::string flat = writer_.value("flatten " + dequantized());
    const std::string weight = weights({r_.between(1, 30), shape_[1]});
    quantize(writer_.value(fmt::format("dense {}, {}", flat, weight)));
  }

  Choices &r_;
  Writer writer_;
  double scale_ = 0.01;
  Shape shape_;                             // of the last layer
  std::string numbers_, parameters_, type_; // what it has quantised, and how
};

} // namespace

std::string random_quantized_network(Choices &choices) {
  return QuantizedLayers(choices).network();
}

} // namespace cnnc
