// What older versions of ONNX wrote otherwise: what was an attribute and became an input, and ops that
// meant something else.
#include "onnx_models.h"

namespace cnnc {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

TEST(OnnxVersions, BroadcastByAttribute) {
  OnnxBuilder builder(6);
  builder.input("x", {1, 2, 2, 1});
  builder.weight("w", {2}, {10, 20});
  onnx::NodeProto &node = builder.node("Add", {"x", "w"}, {"y"});
  builder.output("y");
  EXPECT_NE(import_error(builder.bytes()).find("which opset 6 allows only with 'broadcast' = 1"),
            std::string::npos);
  set(node, "broadcast", 1);
  set(node, "axis", 1);
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2, 2, 1})})), Floats({11, 12, 23, 24}));
}

/// One slope per channel, also where there are as many columns.
TEST(OnnxVersions, SlopeOfPRelu) {
  for (int64_t opset : {6, 16}) {
    OnnxBuilder builder(opset);
    builder.input("x", {1, 2, 1, 2});
    builder.weight("slope", {2}, {10, 20});
    builder.node("PRelu", {"x", "slope"}, {"y"});
    builder.output("y");
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {tensor_of({1, 2, 1, 2}, {-1, -1, -1, -1})})),
              opset < 7 ? Floats({-10, -10, -20, -20}) : Floats({-10, -20, -10, -20}))
        << opset;
  }
}

TEST(OnnxVersions, ClipBounds) {
  for (int64_t opset : {6, 10, 11, 13}) {
    OnnxBuilder builder(opset);
    builder.input("x", {1, 4});
    onnx::NodeProto &node = builder.node("Clip", {"x"}, {"y"});
    builder.output("y");
    if (opset < 11) {
      set(node, "max", 3.0F);
    } else {
      node.add_input("");
      node.add_input("most");
      builder.weight("most", {}, {3});
    }
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 4})})), Floats({1, 2, 3, 3}));
  }
}

TEST(OnnxVersions, SqueezeAndUnsqueezeAxes) {
  for (int64_t opset : {11, 13}) {
    OnnxBuilder builder(opset);
    builder.input("x", {1, 4, 1});
    onnx::NodeProto &squeeze = builder.node("Squeeze", {"x"}, {"flat"});
    onnx::NodeProto &unsqueeze = builder.node("Unsqueeze", {"flat"}, {"y"});
    builder.output("y");
    builder.integers("two", {2});
    builder.integers("zero", {0});
    if (opset < 13) {
      set(squeeze, "axes", Ints{2});
      set(unsqueeze, "axes", Ints{0});
    } else {
      squeeze.add_input("two");
      unsqueeze.add_input("zero");
    }
    EXPECT_NE(imported_text(builder.bytes()).find("%y = reshape %flat shape=[1, 1, 4]"),
              std::string::npos);
  }
}

TEST(OnnxVersions, SliceBounds) {
  for (int64_t opset : {9, 13}) {
    OnnxBuilder builder(opset);
    builder.input("x", {1, 4});
    onnx::NodeProto &node = builder.node("Slice", {"x"}, {"y"});
    builder.output("y");
    if (opset < 10) {
      set(node, "starts", Ints{1});
      set(node, "ends", Ints{INT64_MAX});
      set(node, "axes", Ints{1});
    } else {
      for (const char *name : {"starts", "ends", "axes"})
        node.add_input(name);
      builder.integers("starts", {-3});
      builder.integers("ends", {INT64_MAX});
      builder.integers("axes", {-1});
    }
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 4})})), Floats({2, 3, 4}));
  }
}

TEST(OnnxVersions, SplitSizes) {
  for (int64_t opset : {11, 13, 18}) {
    OnnxBuilder builder(opset);
    builder.input("x", {1, 5});
    onnx::NodeProto &node = builder.node("Split", {"x"}, {"a", "b"});
    set(node, "axis", 1);
    builder.output("b");
    builder.integers("sizes", {3, 2});
    if (opset == 11)
      set(node, "split", Ints{3, 2});
    else if (opset == 13)
      node.add_input("sizes");
    else
      set(node, "num_outputs", 2); // 3 and 2: the last one is smaller
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 5})})), Floats({4, 5}));
  }
}

/// Until opset 10 an axis that becomes smaller takes the element behind a coordinate.
TEST(OnnxVersions, NearestResize) {
  auto run = [](const char *op, int64_t opset, const Floats &scales) {
    OnnxBuilder builder(opset);
    builder.input("x", {1, 1, 2, 4});
    builder.weight("scales", {4}, scales);
    onnx::NodeProto &node = builder.node(op, {"x"}, {"y"});
    if (opset >= 11)
      node.add_input("");
    node.add_input("scales");
    if (opset >= 11)
      set(node, "coordinate_transformation_mode", std::string("asymmetric"));
    builder.output("y");
    return numbers(run_imported(builder.bytes(), {ramp({1, 1, 2, 4})}));
  };
  EXPECT_EQ(run("Resize", 10, {1, 1, 0.6F, 0.6F}), Floats({1, 3}));
  EXPECT_EQ(run("Resize", 10, {1, 1, 1.5, 0.6F}), Floats({1, 3, 1, 3, 5, 7}));
  EXPECT_EQ(run("Resize", 10, {1, 1, 1, 1.5}), Floats({1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8}));
  EXPECT_EQ(run("Upsample", 9, {1, 1, 1, 1.5}), Floats({1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8}));
  EXPECT_EQ(run("Resize", 11, {1, 1, 1, 0.6F}), Floats({1, 3, 5, 7}));
  EXPECT_EQ(run("Resize", 10, {1, 1, 1, 0.8F}), Floats({1, 3, 4, 5, 7, 8}));
  EXPECT_EQ(run("Resize", 11, {1, 1, 1, 0.8F}), Floats({1, 2, 3, 5, 6, 7}));
}

TEST(OnnxVersions, PadsAndTheirValue) {
  for (int64_t opset : {2, 11, 18}) {
    OnnxBuilder builder(opset, 3);
    builder.input("x", {1, 2});
    onnx::NodeProto &node = builder.node("Pad", {"x"}, {"y"});
    builder.output("y");
    builder.integers("pads", opset == 18 ? Ints{1, 2} : Ints{0, 1, 0, 2});
    builder.integers("axes", {1});
    builder.weight("value", {}, {7});
    if (opset == 2) {
      set(node, "pads", Ints{0, 1, 0, 2});
      set(node, "value", 7.0F);
    } else {
      node.add_input("pads");
      node.add_input("value");
    }
    if (opset == 18)
      node.add_input("axes");
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2})})), Floats({7, 1, 2, 7, 7}));
  }
}

/// Before opset 13 over everything from the axis on.
TEST(OnnxVersions, SoftmaxOverSeveralAxes) {
  OnnxBuilder builder(12);
  builder.input("x", {1, 2, 2});
  builder.node("Softmax", {"x"}, {"y"});
  builder.output("y");
  Tensor alike = tensor_of({1, 2, 2}, {3, 3, 3, 3});
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {alike})), Floats({0.25, 0.25, 0.25, 0.25}));
  OnnxBuilder newer(13);
  newer.model.mutable_graph()->CopyFrom(builder.graph());
  EXPECT_EQ(numbers(run_imported(newer.bytes(), {alike})), Floats({0.5, 0.5, 0.5, 0.5}));
}

TEST(OnnxVersions, GemmOfOldFiles) {
  OnnxBuilder builder(6);
  builder.input("x", {1, 2, 1});
  builder.weight("b", {2, 3}, {1, 2, 3, 4, 5, 6});
  builder.weight("c", {1}, {100});
  onnx::NodeProto &node = builder.node("Gemm", {"x", "b", "c"}, {"y"});
  set(node, "broadcast", 1);
  set(node, "alpha", 2.0F);
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2, 1})})), Floats({118, 124, 130}));
}

} // namespace
} // namespace cnnc
