// Ops of ONNX whose values are easily wrong: infinities and NaN, zeros, nothing at all, and outputs
// that are the same tensor. Expected numbers are written out or come from the definitions.
#include "onnx_models.h"

#include <algorithm>
#include <cmath>

namespace cnnc {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

constexpr float infinity = std::numeric_limits<float>::infinity();
const float nan = std::nanf("");
const auto boolean = onnx::TensorProto::BOOL, int64 = onnx::TensorProto::INT64;

/// A model of one node with inputs in0, in1 ..; `y` is its first output.
class Node {
public:
  explicit Node(const std::string &op, int64_t opset = 17) : builder(opset) {
    node = &builder.node(op, {}, {"y"});
  }
  Node &input(const Tensor &value, int32_t type = onnx::TensorProto::FLOAT) {
    builder.input(next(), value.shape(), type);
    values.push_back(value);
    return *this;
  }
  Node &input(const Floats &value) {
    return input(tensor_of({static_cast<int64_t>(value.size())}, value));
  }
  Node &known(const Ints &numbers) {
    builder.integers(next(), numbers);
    return *this;
  }
  Node &known(const Floats &numbers) {
    builder.weight(next(), {static_cast<int64_t>(numbers.size())}, numbers);
    return *this;
  }
  Node &scalar(float number) {
    builder.weight(next(), {}, {number});
    return *this;
  }
  Node &none() {
    node->add_input("");
    return *this;
  }
  template <class T> Node &with(const std::string &name, const T &value) {
    set(*node, name, value);
    return *this;
  }
  Node &output(const std::string &name) {
    node->add_output(name);
    return *this;
  }
  std::vector<Tensor> run(int32_t type = onnx::TensorProto::FLOAT) {
    for (const std::string &name : node->output())
      builder.output(name, type);
    return run_imported(builder.bytes(), values);
  }
  Floats floats() { return numbers(run()); }
  std::vector<int> flags() {
    const std::vector<Tensor> results = run(boolean);
    std::span<const uint8_t> found = results.at(0).elements<uint8_t>();
    return {found.begin(), found.end()};
  }

  OnnxBuilder builder;
  onnx::NodeProto *node;
  std::vector<Tensor> values;

private:
  std::string next() {
    node->add_input("in" + std::to_string(node->input_size()));
    return node->input(node->input_size() - 1);
  }
};

void expect_near(const Floats &actual, const Floats &expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], 1e-6F * std::max(1.0F, std::abs(expected[i])))
        << "element " << i;
}

void expect_same(const Floats &actual, const Floats &expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_TRUE(std::isnan(expected[i]) ? std::isnan(actual[i]) : actual[i] == expected[i])
        << "element " << i << ": " << actual[i] << ", not " << expected[i];
}

/// The names of the outputs of a compiled model, in order.
std::vector<std::string> compiled_outputs(const OnnxBuilder &builder) {
  Result<Model> model = load_onnx(builder.bytes(), "<model>");
  EXPECT_TRUE(model) << model.error();
  Result<Program> program = jit(*model);
  EXPECT_TRUE(program) << program.error();
  std::vector<std::string> names;
  for (uint32_t i = 0; i < program->table().output_count; ++i)
    names.emplace_back(program->table().outputs[i].name);
  return names;
}

TEST(OnnxValues, OutputsThatAreTheSameTensor) {
  using Names = std::vector<std::string>;
  OnnxBuilder input;
  input.input("x", {2});
  input.node("Identity", {"x"}, {"y"});
  input.output("y");
  EXPECT_EQ(compiled_outputs(input), Names{"y"});
  OnnxBuilder both;
  both.input("x", {2});
  both.node("Relu", {"x"}, {"a"});
  both.node("Identity", {"a"}, {"y"});
  both.node("Identity", {"a"}, {"z"});
  both.output("y");
  both.output("z");
  EXPECT_EQ(compiled_outputs(both), (Names{"y", "z"}));
  OnnxBuilder batch;
  batch.input("x", {-1, 3});
  batch.node("Identity", {"x"}, {"z"});
  batch.node("Identity", {"x"}, {"y"});
  batch.output("z");
  batch.output("y");
  EXPECT_EQ(compiled_outputs(batch), (Names{"z", "y"}));
  OnnxBuilder dropout;
  dropout.input("x", {2});
  dropout.node("Dropout", {"x"}, {"kept", "mask"});
  dropout.output("mask", boolean);
  dropout.output("kept");
  EXPECT_EQ(compiled_outputs(dropout), (Names{"mask", "kept"}));
  OnnxBuilder constant;
  constant.input("x", {2});
  constant.weight("w", {2}, {1, 2});
  constant.node("Identity", {"w"}, {"y"});
  constant.node("Identity", {"w"}, {"z"});
  constant.output("y");
  constant.output("z");
  EXPECT_EQ(compiled_outputs(constant), (Names{"y", "z"}));
}

TEST(OnnxValues, NormOfZeros) {
  for (int p : {1, 2})
    EXPECT_EQ(Node("LpNormalization").input(tensor_of({2, 2}, {0, 0, 3, 0})).with("p", p).floats(),
              Floats({0, 0, 1, 0}));
}

TEST(OnnxValues, UnpoolingIntoALargerShape) {
  auto unpool = [] {
    Node node("MaxUnpool");
    node.input(tensor_of({1, 1, 2, 2}, {5, 6, 7, 8}));
    Tensor indices(TensorType{DType::i64, {1, 1, 2, 2}, "", {}});
    const Ints places = {5, 7, 13, 15};
    std::copy(places.begin(), places.end(), indices.mutable_elements<int64_t>().begin());
    node.input(indices, int64);
    node.with("kernel_shape", Ints{2, 2}).with("strides", Ints{2, 2});
    return node;
  };
  EXPECT_EQ(unpool().floats(), Floats({0, 0, 0, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0, 7, 0, 8}));
  EXPECT_EQ(unpool().known(Ints{1, 1, 5, 5}).floats(),
            Floats({0, 0, 0, 0, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0}));
}

TEST(OnnxValues, UnpoolingWithPads) {
  Node node("MaxUnpool");
  node.input(tensor_of({1, 1, 1, 2}, {5, 6}));
  Tensor places(TensorType{DType::i64, {1, 1, 1, 2}, "", {}});
  places.mutable_elements<int64_t>()[1] = 2;
  node.input(places, int64).with("kernel_shape", Ints{1, 2}).with("strides", Ints{1, 2});
  const std::vector<Tensor> results = node.with("pads", Ints{0, 1, 0, 0}).run();
  EXPECT_EQ(results.front().shape(), (Ints{1, 1, 1, 3}));
  EXPECT_EQ(numbers(results), Floats({5, 0, 6}));
}

TEST(OnnxValues, PlacesOfNegativeNumbersAreNotZero) {
  Node node("NonZero");
  const std::vector<Tensor> places = node.known(Floats{0, -1, 2}).run(int64);
  std::span<const int64_t> elements = places.front().elements<int64_t>();
  EXPECT_EQ(Ints(elements.begin(), elements.end()), (Ints{1, 2}));
}

TEST(OnnxValues, ScatteredInAnotherOrder) {
  EXPECT_EQ(Node("ScatterElements", 16)
                .input({0, 0, 0, 0})
                .known(Ints{0, 2, 1, 3})
                .input({1, 2, 3, 4})
                .floats(),
            Floats({1, 3, 2, 4}));
}

TEST(OnnxValues, WhatNormalisationsGiveBeside) {
  Node node("LayerNormalization");
  node.input(tensor_of({2, 2}, {1, 3, 5, 5})).known(Floats{1, 1}).output("mean").output("inverse");
  std::vector<Tensor> results = node.with("epsilon", 0.25F).run();
  ASSERT_EQ(results.size(), 3U);
  const float inverse = 1 / std::sqrt(1.25F);
  expect_near(numbers({results[0]}), {-inverse, inverse, 0, 0});
  EXPECT_EQ(results[1].shape(), (Ints{2, 1}));
  expect_near(numbers({results[1]}), {2, 5});
  expect_near(numbers({results[2]}), {inverse, 2});
  expect_near(Node("RMSNormalization", 23)
                  .input(tensor_of({1, 2}, {3, 4}))
                  .known(Floats{1, 10})
                  .with("epsilon", 0.0F)
                  .floats(),
              {3 / std::sqrt(12.5F), 40 / std::sqrt(12.5F)});
}

TEST(OnnxValues, NumbersThatAreNone) {
  const Floats x = {1, nan, infinity, -infinity};
  EXPECT_EQ(Node("IsNaN").input(x).flags(), (std::vector<int>{0, 1, 0, 0}));
  EXPECT_EQ(Node("IsInf").input(x).flags(), (std::vector<int>{0, 0, 1, 1}));
  EXPECT_EQ(Node("IsInf").input(x).with("detect_negative", 0).flags(),
            (std::vector<int>{0, 0, 1, 0}));
  EXPECT_EQ(Node("IsInf").input(x).with("detect_positive", 0).flags(),
            (std::vector<int>{0, 0, 0, 1}));
  EXPECT_EQ(Node("IsInf").input(x).with("detect_negative", 0).with("detect_positive", 0).flags(),
            (std::vector<int>{0, 0, 0, 0}));
  expect_same(Node("Clip").input(x).scalar(nan).floats(), {nan, nan, nan, nan});
  expect_same(Node("Clip").input(x).scalar(0).scalar(nan).floats(), {nan, nan, nan, nan});
  expect_same(Node("Clip").input(x).scalar(0).scalar(2).floats(), {1, nan, 2, 0});
  // With bounds that cross everything is the upper one.
  EXPECT_EQ(Node("Clip").input({-5, 1, 2, 5}).scalar(3).scalar(2).floats(), Floats({2, 2, 2, 2}));
}

TEST(OnnxValues, KnownIndicesCountFromTheEnd) {
  Node gather("Gather");
  gather.known(Ints{10, 20, 30}).known(Ints{-1, 0, -3});
  const std::vector<Tensor> gathered = gather.run(int64);
  std::span<const int64_t> elements = gathered.front().elements<int64_t>();
  EXPECT_EQ(Ints(elements.begin(), elements.end()), (Ints{30, 10, 10}));
}

TEST(OnnxValues, ZerosKeepTheirSigns) {
  OnnxBuilder model;
  model.input("x", {2});
  model.weight("plus", {1}, {0});
  model.weight("minus", {1}, {-0.0F});
  set(model.node("Concat", {"plus", "minus"}, {"zeros"}), "axis", 0);
  model.node("Div", {"x", "zeros"}, {"y"});
  model.output("y");
  expect_same(numbers(run_imported(model.bytes(), {tensor_of({2}, {1, 1})})),
              {infinity, -infinity});
}

TEST(OnnxValues, ResizedWithTheAspectRatio) {
  auto shape = [](const std::string &policy) {
    Node resize("Resize", 18);
    resize.input(ramp({1, 1, 2, 4})).none().none().known(Ints{6, 8});
    resize.with("axes", Ints{2, 3}).with("keep_aspect_ratio_policy", policy);
    return resize.run().front().shape();
  };
  EXPECT_EQ(shape("stretch"), (Ints{1, 1, 6, 8}));
  EXPECT_EQ(shape("not_larger"), (Ints{1, 1, 4, 8}));
  EXPECT_EQ(shape("not_smaller"), (Ints{1, 1, 6, 12}));
}

TEST(OnnxValues, Swish) {
  auto logistic = [](float x) { return 1 / (1 + std::exp(-x)); };
  expect_near(Node("Swish", 24).input({-1, 2}).floats(), {-logistic(-1), 2 * logistic(2)});
  expect_near(Node("Swish", 24).input({-1, 2}).with("alpha", 2.0F).floats(),
              {-logistic(-2), 2 * logistic(4)});
}

TEST(OnnxValues, CastLike) {
  Node node("CastLike", 19);
  const Tensor like(TensorType{DType::boolean, {1}, "", {}});
  EXPECT_EQ(node.input({0, 2.5F}).input(like, boolean).flags(), (std::vector<int>{0, 1}));
}

TEST(OnnxValues, Triangles) {
  auto triangle = [](int upper, int64_t k) {
    return Node("Trilu")
        .input(tensor_of({2, 3}, {1, infinity, 3, nan, 5, 6}))
        .known(Ints{k})
        .with("upper", upper)
        .floats();
  };
  expect_same(triangle(1, 0), {1, infinity, 3, 0, 5, 6});
  expect_same(triangle(1, 1), {0, infinity, 3, 0, 0, 6});
  expect_same(triangle(0, 0), {1, 0, 0, nan, 5, 0});
  expect_same(triangle(0, -1), {0, 0, 0, nan, 0, 0});
  expect_same(triangle(1, -100), {1, infinity, 3, nan, 5, 6});
  expect_same(triangle(0, -100), {0, 0, 0, 0, 0, 0});
  EXPECT_EQ(Node("EyeLike").input(tensor_of({2, 3}, Floats(6, 7))).with("k", 1).floats(),
            Floats({0, 1, 0, 0, 0, 1}));
}

TEST(OnnxValues, OneHot) {
  auto one_hot = [](int64_t axis) {
    return Node("OneHot")
        .input({1, -1, 5, -3})
        .known(Ints{3})
        .known(Floats{2, 9})
        .with("axis", axis)
        .floats();
  };
  EXPECT_EQ(one_hot(-1), Floats({2, 9, 2, 2, 2, 9, 2, 2, 2, 9, 2, 2}));
  EXPECT_EQ(one_hot(0), Floats({2, 2, 2, 9, 9, 2, 2, 2, 2, 9, 2, 2}));
}

/// An infinity reaches the sums behind it alone.
TEST(OnnxValues, RunningSums) {
  auto sums = [](int exclusive, int reverse) {
    return Node("CumSum")
        .input({1, 2, infinity, 4, 5})
        .known(Ints{0})
        .with("exclusive", exclusive)
        .with("reverse", reverse)
        .floats();
  };
  expect_same(sums(0, 0), {1, 3, infinity, infinity, infinity});
  expect_same(sums(1, 0), {0, 1, 3, infinity, infinity});
  expect_same(sums(0, 1), {infinity, infinity, infinity, 9, 5});
  expect_same(sums(1, 1), {infinity, infinity, 9, 5, 0});
  expect_same(Node("CumSum").input({nan}).known(Ints{0}).with("exclusive", 1).floats(), {0});
}

TEST(OnnxValues, ReductionsOfNothing) {
  const std::pair<const char *, float> rows[] = {{"ReduceSum", 0},
                                                 {"ReduceProd", 1},
                                                 {"ReduceMax", -infinity},
                                                 {"ReduceMin", infinity},
                                                 {"ReduceMean", nan},
                                                 {"ReduceL1", 0},
                                                 {"ReduceL2", 0},
                                                 {"ReduceSumSquare", 0},
                                                 {"ReduceLogSum", -infinity},
                                                 {"ReduceLogSumExp", -infinity}};
  for (const auto &[op, expected] : rows) {
    SCOPED_TRACE(op);
    Node node(op, 18);
    node.input(tensor_of({2, 0, 3}, {})).known(Ints{1}).with("keepdims", 0);
    std::vector<Tensor> results = node.run();
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].shape(), (Ints{2, 3}));
    expect_same(numbers(results), Floats(6, expected));
  }
}

/// Means over windows of [1, 1, 5, 6, 4], window by window.
Floats means(const Ints &kernel, const Ints &dilation, const Ints &out, bool count_padding,
             const Floats &x) {
  const Ints in = {5, 6, 4};
  Floats result;
  for (int64_t at = 0; at < out[0] * out[1] * out[2]; ++at) {
    const Ints o = {at / (out[1] * out[2]), at / out[2] % out[1], at % out[2]};
    double sum = 0, count = 0;
    for (int64_t tap = 0; tap < kernel[0] * kernel[1] * kernel[2]; ++tap) {
      const Ints k = {tap / (kernel[1] * kernel[2]), tap / kernel[2] % kernel[1], tap % kernel[2]};
      bool inside = true, padded = true;
      int64_t place = 0;
      for (size_t i = 0; i < 3; ++i) { // stride 2, one element of padding at each end
        const int64_t p = o[i] * 2 + k[i] * dilation[i] - 1;
        inside = inside && p >= 0 && p < in[i];
        padded = padded && p >= -1 && p <= in[i];
        place = place * in[i] + p;
      }
      sum += inside ? double(x[static_cast<size_t>(place)]) : 0;
      count += inside || (count_padding && padded);
    }
    result.push_back(static_cast<float>(sum / count));
  }
  return result;
}

TEST(OnnxValues, MeansOverVolumes) {
  Floats x(5 * 6 * 4);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(i * i % 37);
  for (int count_padding : {0, 1})
    for (int ceil_mode : {0, 1})
      for (int64_t dilation : {1, 2}) {
        Node node("AveragePool", 19);
        node.input(tensor_of({1, 1, 5, 6, 4}, x));
        node.with("kernel_shape", Ints{2, 2, 3}).with("strides", Ints{2, 2, 2});
        node.with("dilations", Ints{dilation, dilation, 1}).with("pads", Ints(6, 1));
        node.with("ceil_mode", ceil_mode).with("count_include_pad", count_padding);
        std::vector<Tensor> results = node.run();
        ASSERT_EQ(results.size(), 1U);
        const Ints &shape = results[0].shape();
        expect_near(numbers(results),
                    means({2, 2, 3}, {dilation, dilation, 1}, {shape.begin() + 2, shape.end()},
                          count_padding != 0, x));
      }
}

/// A function that calls another one, with an attribute that it hands on.
TEST(OnnxValues, FunctionsOfTheFile) {
  OnnxBuilder builder;
  builder.input("x", {2});
  onnx::NodeProto &call = builder.node("Outer", {"x", ""}, {"y"});
  call.set_domain("own");
  set(call, "slope", 0.5F);
  builder.node("Inner", {"y"}, {"z"}).set_domain("own");
  builder.output("y");
  builder.output("z");
  auto function = [&](const std::string &name) -> onnx::FunctionProto & {
    onnx::FunctionProto &added = *builder.model.add_functions();
    added.set_name(name);
    added.set_domain("own");
    return added;
  };
  auto add = [](onnx::FunctionProto &to, const std::string &op, const std::string &in,
                const std::string &out) -> onnx::NodeProto & {
    onnx::NodeProto &node = *to.add_node();
    node.set_op_type(op);
    node.add_input(in);
    node.add_output(out);
    return node;
  };
  onnx::FunctionProto &inner = function("Inner");
  inner.add_input("a");
  inner.add_output("c");
  add(inner, "Neg", "a", "x"); // x is another value here
  add(inner, "LeakyRelu", "x", "c");
  onnx::AttributeProto &alpha = *inner.mutable_node(1)->add_attribute();
  alpha.set_name("alpha");
  alpha.set_type(onnx::AttributeProto::FLOAT);
  alpha.set_ref_attr_name("slope");
  onnx::FunctionProto &outer = function("Outer");
  outer.add_input("a");
  outer.add_input("unused");
  outer.add_output("b");
  onnx::NodeProto &nested = add(outer, "Inner", "a", "b");
  nested.set_domain("own");
  *nested.add_attribute() = alpha;
  nested.mutable_attribute(0)->set_name("slope");
  Tensor x = tensor_of({2}, {4, -3});
  std::vector<Tensor> results = run_imported(builder.bytes(), {x});
  ASSERT_EQ(results.size(), 2U);
  expect_near(numbers({results[0]}), {-2, 3});
  expect_near(numbers({results[1]}), {2, -0.03F}); // the default slope
}

} // namespace
} // namespace cnnc
