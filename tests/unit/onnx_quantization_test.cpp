// Quantised ONNX files: which ops they become, sums written out here, and what is refused.
#include "onnx_models.h"

namespace cnnc {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

const auto uint8 = onnx::TensorProto::UINT8, int8 = onnx::TensorProto::INT8;
const auto int32 = onnx::TensorProto::INT32;

/// A model whose constants are integers of any type.
class Quantized : public OnnxBuilder {
public:
  using OnnxBuilder::OnnxBuilder;

  Quantized &with(const std::string &name, int32_t type, const Ints &dims, const Ints &values) {
    onnx::TensorProto &tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (int64_t dim : dims)
      tensor.add_dims(dim);
    for (int64_t value : values)
      tensor.add_int32_data(static_cast<int32_t>(value));
    return *this;
  }
  /// A scale and a zero point for all elements: "a_scale" and "a_zero".
  Quantized &scaled(const std::string &name, float scale, int32_t type, int64_t zero_point) {
    weight(name + "_scale", {}, {scale});
    return with(name + "_zero", type, {}, {zero_point});
  }
  onnx::NodeProto &microsoft(const std::string &op, const std::vector<std::string> &inputs) {
    onnx::NodeProto &result = node(op, inputs, {"y"});
    result.set_domain("com.microsoft");
    return result;
  }
  std::string text() {
    output("y");
    return imported_text(bytes());
  }
  std::string error() {
    output("y");
    return import_error(bytes());
  }
};

Tensor bytes_of(const Ints &shape, const Ints &values, DType dtype = DType::u8) {
  Tensor result(TensorType{dtype, shape});
  if (dtype == DType::u8)
    std::ranges::copy(values, result.mutable_elements<uint8_t>().begin());
  else
    std::ranges::copy(values, result.mutable_elements<int8_t>().begin());
  return result;
}

/// The elements of the first output, of integers.
template <class T> Ints integers(const std::vector<Tensor> &outputs) {
  if (outputs.empty())
    return {};
  std::span<const T> elements = outputs.front().elements<T>();
  return {elements.begin(), elements.end()};
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)
#define EXPECT_LACKS(text, part) EXPECT_EQ((text).find(part), std::string::npos) << (text)

// ---- QuantizeLinear and DequantizeLinear

TEST(OnnxQuantizeLinear, OneScaleIsAnAttribute) {
  Quantized model;
  model.input("x", {2, 3});
  model.scaled("x", 0.02F, int8, -3);
  model.node("QuantizeLinear", {"x", "x_scale", "x_zero"}, {"y"});
  EXPECT_HAS(model.text(), "%y = quantize %x scale=0.02 zero_point=-3 to=i8 : i8[2, 3]");
}

TEST(OnnxQuantizeLinear, WithoutZeroPointItMakesU8) {
  Quantized model;
  model.input("x", {2, 3});
  model.weight("scale", {1}, {0.5});
  model.node("QuantizeLinear", {"x", "scale"}, {"y"});
  EXPECT_HAS(model.text(), "%y = quantize %x scale=0.5 to=u8 : u8[2, 3]");
}

TEST(OnnxQuantizeLinear, TypeOfTheAttribute) {
  Quantized model(21, 10);
  model.input("x", {2, 3});
  model.weight("scale", {}, {0.5});
  onnx::NodeProto &node = model.node("QuantizeLinear", {"x", "scale"}, {"y"});
  set(node, "output_dtype", int64_t(int8));
  set(node, "saturate", 1);
  set(node, "axis", 7); // of no meaning where one scale is for all
  EXPECT_HAS(model.text(), "%y = quantize %x scale=0.5 to=i8 : i8[2, 3]");
}

TEST(OnnxQuantizeLinear, ScalesOfAnAxisAreOperands) {
  Quantized model;
  model.input("x", {2, 3});
  model.weight("scales", {3}, {0.5, 1, 2});
  model.with("points", uint8, {3}, {0, 0, 9});
  model.node("QuantizeLinear", {"x", "scales", "points"}, {"y"});
  EXPECT_HAS(model.text(), "%y = quantize %x, %scales, %points to=u8 : u8[2, 3]");
  EXPECT_EQ(integers<uint8_t>(run_imported(model.bytes(), {ramp({2, 3})})),
            Ints({2, 2, 11, 8, 5, 12}));
}

TEST(OnnxQuantizeLinear, EqualScalesOfAnAxisAreOne) {
  Quantized model;
  model.with("w", int8, {3, 2}, {1, 2, 3, 4, 5, 6});
  model.weight("scales", {3}, {0.5, 0.5, 0.5});
  model.with("points", int8, {3}, {0, 0, 0});
  model.input("x", {3, 2});
  set(model.node("DequantizeLinear", {"w", "scales", "points"}, {"f"}), "axis", 0);
  model.node("Add", {"x", "f"}, {"y"});
  EXPECT_HAS(model.text(), "%f = dequantize %w scale=0.5 : f32[3, 2]");
}

TEST(OnnxQuantizeLinear, ZeroPointsOfZeroAreLeftOut) {
  Quantized model;
  model.with("w", int8, {3, 2}, {1, 2, 3, 4, 5, 6});
  model.weight("scales", {2}, {0.5, 2});
  model.with("points", int8, {2}, {0, 0});
  model.input("x", {3, 2});
  set(model.node("DequantizeLinear", {"w", "scales", "points"}, {"f"}), "axis", -1);
  model.node("Add", {"x", "f"}, {"y"});
  EXPECT_HAS(model.text(), "%f = dequantize %w, %scales : f32[3, 2]");
  EXPECT_EQ(numbers(run_imported(model.bytes(), {ramp({3, 2}, 0)})),
            Floats({0.5, 5, 3.5, 11, 6.5, 17}));
}

TEST(OnnxQuantizeLinear, ScaleOfZero) {
  Quantized model;
  model.input("x", {2}, int8);
  model.scaled("x", 0, int8, 1);
  model.node("DequantizeLinear", {"x", "x_scale", "x_zero"}, {"y"});
  EXPECT_LACKS(model.text(), "dequantize");
  EXPECT_EQ(numbers(run_imported(model.bytes(), {bytes_of({2}, {5, -5}, DType::i8)})),
            Floats({0, 0}));
}

TEST(OnnxQuantizeLinear, ScaleOfTheInput) {
  Quantized model;
  model.input("x", {2, 2});
  model.input("scale", {1});
  model.input("zero", {1}, int8);
  model.node("QuantizeLinear", {"x", "scale", "zero"}, {"q"});
  model.node("DequantizeLinear", {"q", "scale", "zero"}, {"f"});
  model.output("q", int8);
  model.output("f");
  std::vector<Tensor> outputs =
      run_imported(model.bytes(), {tensor_of({2, 2}, {1, 1.25, -3, 1000}), tensor_of({1}, {0.5}),
                                   bytes_of({1}, {-2}, DType::i8)});
  EXPECT_EQ(integers<int8_t>(outputs), Ints({0, 0, -8, 127}));
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(values_of(outputs[1]), Floats({1, 1, -3, 64.5}));
}

TEST(OnnxQuantizeLinear, BiasesOfI32) {
  Quantized model;
  model.with("b", int32, {3}, {1000, -7, 100000});
  model.weight("scales", {3}, {0.5, 1, 2});
  model.input("x", {1, 3});
  set(model.node("DequantizeLinear", {"b", "scales"}, {"f"}), "axis", 0);
  model.node("Add", {"x", "f"}, {"y"});
  EXPECT_HAS(model.text(), "%f = dequantize %b, %scales axis=0 : f32[3]");
}

/// Weights that protobuf never sees.
TEST(OnnxQuantizeLinear, LargeWeights) {
  Quantized model;
  model.input("x", {4000});
  model.with("w", int8, {4000}, {});
  std::string bytes;
  for (int i = 0; i < 4000; ++i)
    bytes += static_cast<char>(i);
  model.graph().mutable_initializer(0)->set_raw_data(bytes);
  model.weight("scale", {}, {0.5});
  model.node("DequantizeLinear", {"w", "scale"}, {"f"});
  model.node("Add", {"x", "f"}, {"y"});
  EXPECT_HAS(model.text(), R"(%w = weight "w" : i8[4000])");
  const Floats sums = numbers(run_imported(model.bytes(), {tensor_of({4000}, Floats(4000, 1))}));
  ASSERT_EQ(sums.size(), 4000u);
  EXPECT_EQ(sums[127], 64.5);
  EXPECT_EQ(sums[128], -63);
  EXPECT_EQ(sums[3999], 1 + 0.5F * static_cast<int8_t>(3999 % 256));
}

/// Exporters of TensorFlow's models transpose weights behind DequantizeLinear, and MatMul wants
/// columns: the integers move, so that products find them dequantised.
TEST(OnnxQuantizeLinear, WeightsMoveAsIntegers) {
  Quantized model;
  model.input("x", {1, 3, 4, 4});
  model.with("w", int8, {1, 2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  model.weight("scales", {2}, {0.5, 2});
  set(model.node("DequantizeLinear", {"w", "scales"}, {"f"}), "axis", 3);
  set(model.node("Transpose", {"f"}, {"filter"}), "perm", Ints{3, 2, 0, 1});
  model.node("Conv", {"x", "filter"}, {"y"});
  const std::string text = model.text();
  EXPECT_HAS(text, " = transpose %w permutation=[3, 2, 0, 1] : i8[2, 3, 1, 2]");
  EXPECT_HAS(text, "%filter = dequantize %filter.transpose, %scales axis=0 : f32[2, 3, 1, 2]");
  EXPECT_HAS(text, "%y = conv2d %x, %filter");
  Quantized product;
  product.input("x", {2, 2});
  product.with("w", int8, {2, 3}, {1, 2, 3, 4, 5, 6});
  product.scaled("w", 0.5, int8, 1);
  product.node("DequantizeLinear", {"w", "w_scale", "w_zero"}, {"f"});
  product.node("MatMul", {"x", "f"}, {"y"});
  EXPECT_HAS(product.text(), "dequantize %y.transpose scale=0.5 zero_point=1 : f32[3, 2]");
  EXPECT_EQ(numbers(run_imported(product.bytes(), {ramp({2, 2})})),
            Floats({3, 4.5, 6, 6, 9.5, 13}));
  Quantized line;
  line.input("x", {1, 1, 4});
  line.with("w", int8, {2, 1, 2}, {1, 2, 3, 4});
  line.weight("scales", {2}, {0.5, 2});
  set(line.node("DequantizeLinear", {"w", "scales"}, {"f"}), "axis", 0);
  line.node("Conv", {"x", "f"}, {"y"});
  EXPECT_HAS(line.text(), "dequantize %y.reshape.1, %scales axis=0 : f32[2, 1, 1, 2]");
}

TEST(OnnxQuantizeLinear, DynamicRange) {
  Quantized model;
  model.input("x", {4});
  model.node("DynamicQuantizeLinear", {"x"}, {"y", "scale", "zero"});
  model.output("y", uint8);
  model.output("scale");
  model.output("zero", uint8);
  std::vector<Tensor> outputs = run_imported(model.bytes(), {tensor_of({4}, {-1, 0, 1, 4.1F})});
  EXPECT_EQ(integers<uint8_t>(outputs), Ints({0, 50, 100, 255}));
  EXPECT_EQ(values_of(outputs[1]), Floats({0.02F}));
  EXPECT_EQ(outputs[2].elements<uint8_t>()[0], 50);
  outputs = run_imported(model.bytes(), {tensor_of({4}, {0, 0, 0, 0})});
  EXPECT_EQ(integers<uint8_t>(outputs), Ints({0, 0, 0, 0}));
  EXPECT_EQ(values_of(outputs[1]), Floats({1}));
}

TEST(OnnxQuantizeLinear, WhatMovesNumbers) {
  Quantized model;
  model.input("x", {1, 1, 2, 2}, int8);
  set(model.node("MaxPool", {"x"}, {"m"}), "kernel_shape", Ints{2, 2});
  set(model.node("Concat", {"x", "x"}, {"c"}), "axis", 1);
  set(model.node("Transpose", {"c"}, {"t"}), "perm", Ints{0, 2, 3, 1});
  model.integers("pads", {0, 1, 0, 0, 0, 0, 0, 0});
  model.with("fill", int8, {}, {-7});
  model.node("Pad", {"t", "pads", "fill"}, {"p"});
  model.weight("scales", {4}, {1, 1, 2, 2});
  model.node("Resize", {"x", "", "scales"}, {"r"});
  for (const char *name : {"p", "m", "r"})
    model.output(name, int8);
  std::vector<Tensor> outputs =
      run_imported(model.bytes(), {bytes_of({1, 1, 2, 2}, {-128, -3, -5, -100}, DType::i8)});
  EXPECT_EQ(integers<int8_t>(outputs),
            Ints({-7, -7, -7, -7, -128, -128, -3, -3, -5, -5, -100, -100}));
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[1].elements<int8_t>()[0], -3);
  EXPECT_EQ(outputs[2].elements<int8_t>()[3], -3);
}

TEST(OnnxQuantizeLinear, Refused) {
  auto quantize = [](Quantized & model, const std::string &op = "QuantizeLinear") -> auto & {
    model.weight("scales", {3}, {1, 2, 3});
    return model.node(op, {"x", "scales"}, {"y"});
  };
  {
    Quantized model(21, 10);
    model.input("x", {2, 3});
    set(quantize(model), "block_size", 2);
    EXPECT_HAS(model.error(), "(QuantizeLinear): blocked quantisation is not supported, only one "
                              "scale for all elements");
  }
  {
    Quantized model;
    model.input("x", {2, 4});
    quantize(model);
    EXPECT_HAS(model.error(), "it has 3 scales, which do not fit axis 1 of f32[2, 4]");
  }
  {
    Quantized model;
    model.input("x", {3});
    quantize(model);
    EXPECT_HAS(model.error(), "the axis 1 is not one of the 1 dimensions");
  }
  {
    Quantized model;
    model.input("x", {2, 3});
    quantize(model).add_input("points");
    model.with("points", uint8, {2}, {1, 2});
    EXPECT_HAS(model.error(), "its scale is f32[3], but its zero point u8[2]: they must have the "
                              "same shape");
  }
  {
    Quantized model;
    model.input("x", {2, 3}, int8);
    quantize(model, "DequantizeLinear").add_input("points");
    model.with("points", uint8, {3}, {1, 2, 3});
    EXPECT_HAS(model.error(), "its zero point is of type u8, but its input i8");
  }
  {
    Quantized model;
    model.input("x", {2, 3}, onnx::TensorProto::INT64);
    quantize(model, "DequantizeLinear");
    EXPECT_HAS(model.error(), "its input is i64[2, 3], but must be of UINT8, INT8, INT16 or INT32");
  }
  {
    Quantized model;
    model.input("x", {2, 3});
    quantize(model).add_input("points");
    model.with("points", int32, {3}, {1, 2, 3});
    EXPECT_HAS(model.error(),
               "it quantises as i32, which is not supported, only as UINT8 and INT8");
  }
}

/// An element type, but none that floats are quantised to.
TEST(OnnxQuantizeLinear, NumbersOf16Bits) {
  Quantized model;
  model.input("x", {2}, onnx::TensorProto::INT16);
  model.weight("scale", {}, {0.5});
  model.node("DequantizeLinear", {"x", "scale"}, {"y"});
  EXPECT_HAS(model.text(), "%y = dequantize %x scale=0.5 : f32[2]");
  Quantized other(21, 10);
  other.input("x", {2, 3});
  other.weight("scale", {}, {1});
  set(other.node("QuantizeLinear", {"x", "scale"}, {"y"}), "output_dtype",
      int64_t(onnx::TensorProto::INT16));
  EXPECT_HAS(other.error(), "it quantises as i16, which is not supported, only as UINT8 and INT8");
}

/// Types that this importer does not have are called by their names, also those that are younger
/// than the library that reads the file.
TEST(OnnxQuantizeLinear, OtherTypesOfNumbers) {
  constexpr int32_t float8 = 17, uint4 = 21, int4 = 22;
  for (const auto &[type, name] :
       {std::pair<int32_t, std::string>{onnx::TensorProto::UINT16, "UINT16"},
        {float8, "FLOAT8E4M3FN"},
        {uint4, "UINT4"},
        {int4, "INT4"}}) {
    Quantized model(21, 10);
    model.input("x", {2, 3});
    model.scaled("x", 1, type, 0);
    model.node("QuantizeLinear", {"x", "x_scale", "x_zero"}, {"y"});
    EXPECT_HAS(model.error(), "tensor 'x_zero': elements of type " + name + " are not supported");
    Quantized other(21, 10);
    other.input("x", {2, 3});
    other.weight("scale", {}, {1});
    set(other.node("QuantizeLinear", {"x", "scale"}, {"y"}), "output_dtype", int64_t(type));
    EXPECT_HAS(other.error(), "the type " + name + " is not supported, only ");
  }
}

// ---- ConvInteger and MatMulInteger

/// Sums over windows of 2 x 2 with a border of one, in the order of the output.
Ints convolved_by_hand(const Ints &x, int64_t zero, const Ints &w) {
  Ints result;
  auto at = [&](int64_t row, int64_t column) {
    const bool inside = row >= 0 && row < 2 && column >= 0 && column < 3;
    return inside ? x[static_cast<size_t>(row * 3 + column)] - zero : 0;
  };
  for (int64_t row = -1; row < 2; ++row)
    for (int64_t column = -1; column < 3; ++column)
      result.push_back(at(row, column) * w[0] + at(row, column + 1) * w[1] +
                       at(row + 1, column) * w[2] + at(row + 1, column + 1) * w[3]);
  return result;
}

struct ConvInteger {
  Quantized model;
  ConvInteger(int32_t weight_type, const Ints &weights, const Ints &points) {
    model.input("x", {1, 1, 2, 3}, uint8);
    model.with("w", weight_type, {1, 1, 2, 2}, weights);
    model.with("x_zero", uint8, {}, {100});
    model.with("w_zero", weight_type, {static_cast<int64_t>(points.size())}, points);
    set(model.node("ConvInteger", {"x", "w", "x_zero", "w_zero"}, {"y"}), "pads", Ints{1, 1, 1, 1});
  }
};

const Ints pixels = {0, 255, 100, 101, 7, 99};

TEST(OnnxConvInteger, SumsOfIntegers) {
  ConvInteger conv(int8, {1, -128, 127, 3}, {0});
  const std::string text = conv.model.text();
  EXPECT_HAS(text, "conv2d %x, %w, %y.reshape pad=[1, 1, 1, 1] zero_point=100 : i32[1, 1, 3, 4]");
  EXPECT_EQ(integers<int32_t>(run_imported(conv.model.bytes(), {bytes_of({1, 1, 2, 3}, pixels)})),
            convolved_by_hand(pixels, 100, {1, -128, 127, 3}));
}

/// Whose weights, less their zero point, are numbers of i8.
TEST(OnnxConvInteger, WeightsOfU8) {
  ConvInteger conv(uint8, {1, 200, 127, 30}, {100});
  EXPECT_LACKS(conv.model.text(), "cast");
  EXPECT_EQ(integers<int32_t>(run_imported(conv.model.bytes(), {bytes_of({1, 1, 2, 3}, pixels)})),
            convolved_by_hand(pixels, 100, {-99, 100, 27, -70}));
}

TEST(OnnxConvInteger, WiderWeightsAreFloats) {
  ConvInteger conv(uint8, {1, 255, 127, 30}, {100});
  std::vector<std::string> remarks;
  LoadOptions options;
  options.remark = [&](const std::string &text) { remarks.push_back(text); };
  EXPECT_HAS(conv.model.text(), "conv2d");
  EXPECT_EQ(integers<int32_t>(
                run_imported(conv.model.bytes(), {bytes_of({1, 1, 2, 3}, pixels)}, options)),
            convolved_by_hand(pixels, 100, {-99, 155, 27, -70}));
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_HAS(remarks[0], "node 'ConvInteger_1' (ConvInteger) is computed in f32, which is exact up "
                         "to 2^24: its weights, less their zero point, are not known to fit i8");
}

TEST(OnnxConvInteger, ZeroPointsThatDoNotFit) {
  for (const Ints &dims : {Ints{1, 1, 2, 2}, Ints{4}, Ints{}}) {
    Quantized model;
    model.input("x", {1, 1, 2, 3}, uint8);
    model.with("w", int8, dims, Ints(dims.empty() ? 1 : 4, 1));
    model.with("points", int8, {3}, {1, 2, 3});
    model.node("ConvInteger", {"x", "w", "", "points"}, {"y"});
    EXPECT_HAS(model.error(), "(ConvInteger): its zero points i8[3] do not fit i8[");
  }
}

TEST(OnnxConvInteger, Refused) {
  Quantized volume;
  volume.input("x", {1, 1, 2, 3, 4}, uint8);
  volume.with("w", int8, {1, 1, 1, 1, 1}, {1});
  volume.node("ConvInteger", {"x", "w"}, {"y"});
  EXPECT_HAS(volume.error(), "convolutions of integers over 3 dimensions are not supported");
  Quantized floats;
  floats.input("x", {1, 1, 2, 3});
  floats.with("w", int8, {1, 1, 1, 1}, {1});
  floats.node("ConvInteger", {"x", "w"}, {"y"});
  EXPECT_HAS(floats.error(),
             "its operands must be of UINT8 or INT8, but input 1 is f32[1, 1, 2, 3]");
}

TEST(OnnxMatMulInteger, Dense) {
  Quantized model;
  model.input("x", {2, 1, 2}, int8);
  model.with("w", uint8, {2, 3}, {1, 2, 3, 128, 129, 130});
  model.with("x_zero", int8, {}, {-3});
  model.with("w_zero", uint8, {3}, {2, 2, 3});
  model.node("MatMulInteger", {"x", "w", "x_zero", "w_zero"}, {"y"});
  const std::string text = model.text();
  EXPECT_HAS(text, "dense");
  EXPECT_LACKS(text, "cast");
  // (x + 3) * [[-1, 0, 0], [126, 127, 127]]
  EXPECT_EQ(integers<int32_t>(
                run_imported(model.bytes(), {bytes_of({2, 1, 2}, {1, -3, -128, 127}, DType::i8)})),
            Ints({-4, 0, 0, 125 + 130 * 126, 130 * 127, 130 * 127}));
}

TEST(OnnxMatMulInteger, ZeroPointsOfTheInput) {
  Quantized model;
  model.input("x", {2, 2}, uint8);
  model.input("x_zero", {2}, uint8);
  model.with("w", int8, {2, 1}, {10, -1});
  model.node("MatMulInteger", {"x", "w", "x_zero"}, {"y"});
  EXPECT_HAS(model.text(), "dense");
  EXPECT_EQ(integers<int32_t>(run_imported(
                model.bytes(), {bytes_of({2, 2}, {255, 0, 7, 9}), bytes_of({2}, {5, 9})})),
            Ints({2505, -20}));
}

TEST(OnnxMatMulInteger, TwoInputs) {
  Quantized model;
  model.input("a", {2, 2}, uint8);
  model.input("b", {2, 1}, int8);
  model.with("b_zero", int8, {}, {1});
  model.node("MatMulInteger", {"a", "b", "", "b_zero"}, {"y"});
  std::vector<std::string> remarks;
  LoadOptions options;
  options.remark = [&](const std::string &text) { remarks.push_back(text); };
  EXPECT_HAS(model.text(), "matmul");
  EXPECT_EQ(
      integers<int32_t>(run_imported(
          model.bytes(), {bytes_of({2, 2}, {255, 0, 7, 9}), bytes_of({2, 1}, {11, -4}, DType::i8)},
          options)),
      Ints({2550, 25}));
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_HAS(remarks[0], "its second operand is no constant matrix, or its batch is not known");
}

TEST(OnnxMatMulInteger, TwoInputsWithoutZeroPoints) {
  Quantized model;
  model.input("a", {2, 5}, uint8);
  model.input("b", {5, 1}, int8);
  model.with("b_zero", int8, {}, {0});
  model.node("MatMulInteger", {"a", "b", "", "b_zero"}, {"y"});
  EXPECT_LACKS(model.text(), "cast");
  EXPECT_EQ(integers<int32_t>(
                run_imported(model.bytes(), {bytes_of({2, 5}, {255, 0, 7, 9, 1, 1, 2, 3, 4, 5}),
                                             bytes_of({5, 1}, {11, -4, 0, -128, 127}, DType::i8)})),
            Ints({255 * 11 - 9 * 128 + 127, 11 - 8 - 4 * 128 + 5 * 127}));
}

// ---- ops between quantised numbers

TEST(OnnxQLinear, Conv) {
  Quantized model(10);
  model.input("x", {1, 1, 2, 2}, uint8);
  model.scaled("x", 0.5, uint8, 3);
  model.with("w", int8, {2, 1, 1, 1}, {2, -3});
  model.weight("w_scale", {2}, {1, 0.25});
  model.with("w_zero", int8, {2}, {0, 0});
  model.with("b", int32, {2}, {4, 8});
  model.scaled("y", 2, uint8, 10);
  model.node("QLinearConv",
             {"x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "b"}, {"y"});
  const std::string text = model.text();
  EXPECT_HAS(text, "%y.input1 = dequantize %x scale=0.5 zero_point=3 : f32[1, 1, 2, 2]");
  EXPECT_HAS(text, "%y.input4 = dequantize %w, %w_scale axis=0 : f32[2, 1, 1, 1]");
  EXPECT_HAS(text, "%y.bias = dequantize %b, %y.bias_scale axis=0 : f32[2]");
  EXPECT_HAS(text, "%y.float = conv2d %y.input1, %y.input4, %y.bias : f32[1, 2, 2, 2]");
  EXPECT_HAS(text, "%y = quantize %y.float scale=2 zero_point=10 to=u8 : u8[1, 2, 2, 2]");
  // x is -1.5, 0, 1, 126; the filter 2 and -0.75, the bias 2 and 1.
  EXPECT_EQ(
      integers<uint8_t>(run_imported(model.bytes(), {bytes_of({1, 1, 2, 2}, {0, 3, 5, 255})})),
      Ints({10, 11, 12, 137, 11, 10, 10, 0}));
}

TEST(OnnxQLinear, MatMulWithScalesOfColumns) {
  Quantized model;
  model.input("a", {1, 2}, uint8);
  model.scaled("a", 1, uint8, 0);
  model.with("b", int8, {2, 2}, {1, 2, 3, 4});
  model.weight("b_scale", {2}, {1, 10});
  model.with("b_zero", int8, {2}, {0, 0});
  model.scaled("y", 1, uint8, 0);
  model.node("QLinearMatMul",
             {"a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"}, {"y"});
  model.output("y", uint8);
  EXPECT_EQ(integers<uint8_t>(run_imported(model.bytes(), {bytes_of({1, 2}, {2, 3})})),
            Ints({11, 160}));
}

/// A model of one op of ONNX Runtime on `a` and perhaps `b`, both of [1, 2, 1, 2].
std::string microsoft_text(const std::string &op, bool two, const std::string &attribute = "",
                           int64_t value = 0) {
  Quantized model;
  std::vector<std::string> inputs;
  for (const char *name : {"a", "b"}) {
    if (name[0] == 'b' && !two)
      break;
    model.input(name, {1, 2, 1, 2}, uint8);
    model.scaled(name, 0.5, uint8, 128);
    for (const char *part : {"", "_scale", "_zero"})
      inputs.push_back(std::string(name) + part);
  }
  model.scaled("y", 0.25, uint8, 7);
  inputs.insert(op == "QLinearConcat" ? inputs.begin() : inputs.end(), {"y_scale", "y_zero"});
  onnx::NodeProto &node = model.microsoft(op, inputs);
  if (!attribute.empty())
    set(node, attribute, value);
  if (op == "QLinearAveragePool")
    set(node, "kernel_shape", Ints{1, 2});
  return model.text();
}

TEST(OnnxQLinear, OpsOfOnnxRuntime) {
  const std::string a = "%y.input1 = dequantize %a scale=0.5 zero_point=128";
  for (const auto &[text, op] : {
           std::pair{microsoft_text("QLinearAdd", true), "add %y.input1, %y.input4"},
           {microsoft_text("QLinearMul", true), "mul %y.input1, %y.input4"},
           {microsoft_text("QLinearSigmoid", false), "sigmoid %y.input1"},
           {microsoft_text("QLinearLeakyRelu", false), "leaky_relu %y.input1"},
           {microsoft_text("QLinearAveragePool", false), "avg_pool2d %y.input1 kernel=[1, 2]"},
           {microsoft_text("QLinearGlobalAveragePool", false, "channels_last", 0),
            "global_avg_pool2d %y.input1"},
           {microsoft_text("QLinearSoftmax", false, "opset", 13), "softmax %y.input1 axis=3"},
       }) {
    EXPECT_HAS(text, a);
    EXPECT_HAS(text, std::string("%y.float = ") + op);
    EXPECT_HAS(text, "%y = quantize %y.float scale=0.25 zero_point=7 to=u8");
  }
  const std::string joined = microsoft_text("QLinearConcat", true, "axis", 1);
  EXPECT_HAS(joined, "%y.input3 = dequantize %a scale=0.5 zero_point=128");
  EXPECT_HAS(joined, "%y.float = concat %y.input3, %y.input6");
  EXPECT_HAS(joined, "%y = quantize %y.float scale=0.25 zero_point=7 to=u8 : u8[1, 4, 1, 2]");
  // Softmax as it was until opset 12: over all dimensions from the axis on.
  EXPECT_HAS(microsoft_text("QLinearSoftmax", false, "opset", 11),
             "reshape %y.input1 shape=[1, 4]");
}

TEST(OnnxQLinear, Gemm) {
  for (bool quantized : {true, false}) {
    Quantized model;
    model.input("a", {1, 2}, uint8);
    model.scaled("a", 1, uint8, 0);
    model.with("b", int8, {2, 2}, {1, 2, 3, 4});
    model.weight("b_scale", {2}, {1, 10});
    model.with("b_zero", int8, {2}, {0, 0});
    model.with("c", int32, {2}, {1, -1});
    std::vector<std::string> inputs = {"a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "c"};
    if (quantized) {
      model.scaled("y", 1, uint8, 5);
      inputs.insert(inputs.end(), {"y_scale", "y_zero"});
    }
    onnx::NodeProto &node = model.microsoft("QGemm", inputs);
    set(node, "alpha", 0.5F);
    set(node, "transB", 1);
    model.output("y");
    // Rows of b are columns, scaled by 1 and 10: [8, 180] + [1, -10], halved, is [4.5, 85].
    std::vector<Tensor> outputs = run_imported(model.bytes(), {bytes_of({1, 2}, {2, 3})});
    if (quantized)
      EXPECT_EQ(integers<uint8_t>(outputs), Ints({9, 90}));
    else
      EXPECT_EQ(numbers(outputs), Floats({4.5, 85}));
  }
}

TEST(OnnxQLinear, MatMulToFloat) {
  Quantized model;
  model.input("a", {1, 2}, uint8);
  model.with("b", int8, {2, 2}, {1, 2, 3, 4});
  model.weight("a_scale", {}, {0.5});
  model.weight("b_scale", {2}, {1, 10});
  model.with("a_zero", uint8, {}, {1});
  model.weight("bias", {2}, {100, 200});
  model.microsoft("MatMulIntegerToFloat", {"a", "b", "a_scale", "b_scale", "a_zero", "", "bias"});
  model.output("y");
  // [1, 2] * [[1, 2], [3, 4]] = [7, 10]
  EXPECT_EQ(numbers(run_imported(model.bytes(), {bytes_of({1, 2}, {2, 3})})), Floats({103.5, 250}));
}

TEST(OnnxQLinear, DynamicMatMul) {
  Quantized model;
  model.input("x", {1, 2});
  model.with("b", int8, {2, 1}, {10, 20});
  model.weight("b_scale", {}, {0.5});
  model.microsoft("DynamicQuantizeMatMul", {"x", "b", "b_scale"});
  model.output("y");
  // 255 and 0: the scale is 1.
  EXPECT_EQ(numbers(run_imported(model.bytes(), {tensor_of({1, 2}, {255, 0})})), Floats({1275}));
}

TEST(OnnxQLinear, QuantizeLinearOfOnnxRuntime) {
  Quantized model;
  model.input("x", {2, 3});
  model.scaled("x", 0.5, uint8, 3);
  model.microsoft("QuantizeLinear", {"x", "x_scale", "x_zero"});
  EXPECT_HAS(model.text(), "%y = quantize %x scale=0.5 zero_point=3 to=u8");
}

TEST(OnnxQLinear, InABranch) {
  Quantized model;
  model.input("a", {1, 2}, uint8);
  model.scaled("a", 0.5, uint8, 128);
  model.with("yes", onnx::TensorProto::BOOL, {}, {1});
  onnx::NodeProto &branch = model.node("If", {"yes"}, {"y"});
  for (const char *name : {"then_branch", "else_branch"}) {
    onnx::GraphProto &graph = *attribute(branch, name, onnx::AttributeProto::GRAPH).mutable_g();
    onnx::NodeProto &node = *graph.add_node();
    node.set_op_type("QLinearSigmoid");
    node.set_domain("com.microsoft");
    for (const char *input : {"a", "a_scale", "a_zero", "a_scale", "a_zero"})
      node.add_input(input);
    node.add_output(std::string(name) + ".y");
    graph.add_output()->set_name(std::string(name) + ".y");
  }
  EXPECT_HAS(model.text(), "sigmoid");
}

TEST(OnnxQLinear, Refused) {
  Quantized last;
  last.input("a", {1, 2, 1, 2}, uint8);
  last.scaled("a", 0.5, uint8, 128);
  set(last.microsoft("QLinearGlobalAveragePool", {"a", "a_scale", "a_zero", "a_scale", "a_zero"}),
      "channels_last", 1);
  EXPECT_HAS(last.error(), "model.onnx: error: node 'QLinearGlobalAveragePool_1' "
                           "(QLinearGlobalAveragePool): channels_last = 1 is not supported: save "
                           "the model before ONNX Runtime optimises it");
  Quantized missing;
  missing.input("a", {1, 2}, uint8);
  missing.scaled("a", 0.5, uint8, 128);
  missing.microsoft("QLinearSigmoid", {"a", "a_scale", "a_zero", "a_scale"});
  EXPECT_HAS(missing.error(), "(QLinearSigmoid): its input 5, the zero point of the result, is "
                              "missing");
  Quantized unknown;
  unknown.input("a", {1, 2}, uint8);
  unknown.microsoft("QAttention", {"a"});
  EXPECT_HAS(unknown.error(), "ops of the domain 'com.microsoft' are not supported");
}

} // namespace
} // namespace cnnc
