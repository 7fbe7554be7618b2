// Ops of ONNX that become several of ours: what they compute, against sums written out here, and
// which ops they become where that matters for speed.
#include "onnx_models.h"

namespace cnnc {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

Tensor integers_of(const Ints &shape, const Ints &values) {
  Tensor result(TensorType{DType::i64, shape});
  std::copy(values.begin(), values.end(), result.mutable_elements<int64_t>().begin());
  return result;
}

bool mentions(const OnnxBuilder &builder, const std::string &part) {
  return imported_text(builder.bytes()).find(part) != std::string::npos;
}

/// The operands are a, b, c with the elements 1, 2, 3 ...
Floats einsum(const std::string &equation, const std::vector<Ints> &shapes) {
  OnnxBuilder builder;
  onnx::NodeProto &node = builder.node("Einsum", {}, {"y"});
  set(node, "equation", equation);
  std::vector<Tensor> inputs;
  for (const Ints &shape : shapes) {
    node.add_input("in" + std::to_string(inputs.size()));
    builder.input(node.input().Get(node.input_size() - 1), shape);
    inputs.push_back(ramp(shape));
  }
  builder.output("y");
  return numbers(run_imported(builder.bytes(), inputs));
}

TEST(OnnxEinsum, OneOperand) {
  EXPECT_EQ(einsum("ij->ji", {{2, 3}}), Floats({1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(einsum("ij->j", {{2, 3}}), Floats({5, 7, 9}));
  EXPECT_EQ(einsum("ij->", {{2, 3}}), Floats({21}));
  EXPECT_EQ(einsum("ba", {{2, 3}}), Floats({1, 4, 2, 5, 3, 6})); // the result is sorted
  EXPECT_EQ(einsum(" ... i -> i ... ", {{2, 3}}), Floats({1, 4, 2, 5, 3, 6}));
}

TEST(OnnxEinsum, TwoOperands) {
  EXPECT_EQ(einsum("ij,jk", {{2, 2}, {2, 2}}), Floats({7, 10, 15, 22}));
  EXPECT_EQ(einsum("ij,jk->ki", {{2, 2}, {2, 2}}), Floats({7, 15, 10, 22}));
  EXPECT_EQ(einsum("i,i->", {{3}, {3}}), Floats({14}));
  EXPECT_EQ(einsum("i,j->ji", {{2}, {3}}), Floats({1, 2, 2, 4, 3, 6}));
  EXPECT_EQ(einsum("ij,ij->ij", {{2, 2}, {2, 2}}), Floats({1, 4, 9, 16}));
  EXPECT_EQ(einsum("ij,k->k", {{2, 2}, {2}}), Floats({10, 20})); // i and j only here
  EXPECT_EQ(einsum("bij,bjk->bik", {{2, 1, 2}, {2, 2, 1}}), Floats({5, 25}));
  EXPECT_EQ(einsum("nkp,ncp->nkc", {{1, 1, 2}, {1, 2, 2}}), Floats({5, 11}));
}

TEST(OnnxEinsum, Broadcasts) {
  EXPECT_EQ(einsum("...ij,...jk->...ik", {{2, 1, 2}, {2, 1}}), Floats({5, 11}));
  EXPECT_EQ(einsum("...i,...i->...", {{2, 1, 2}, {1, 2, 2}}), Floats({5, 11, 11, 25}));
  EXPECT_EQ(einsum("ij,ij->i", {{2, 1}, {2, 2}}), Floats({3, 14}));
}

TEST(OnnxEinsum, ThreeOperands) {
  EXPECT_EQ(einsum("ij,jk,k->i", {{2, 2}, {2, 2}, {2}}), Floats({27, 59}));
}

TEST(OnnxEinsum, SymbolicBatch) {
  OnnxBuilder builder;
  builder.input("x", {-1, 2, 3});
  builder.weight("w", {3, 2}, {1, 0, 0, 1, 0, 0});
  set(builder.node("Einsum", {"x", "w"}, {"y"}), "equation", std::string("bic,co->boi"));
  builder.output("y");
  EXPECT_TRUE(mentions(builder, "f32[batch, 2, 2]"));
  LoadOptions fixed;
  fixed.shapes = {"2x2x3"};
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({2, 2, 3})}, fixed)),
            Floats({1, 4, 2, 5, 7, 10, 8, 11}));
}

/// x[:, 1:3] = y, as exporters write it: joined slices, no gather.
TEST(OnnxElements, AssignedBox) {
  OnnxBuilder builder;
  builder.input("x", {2, 4});
  builder.input("u", {2, 2});
  builder.integers("i", {0, 1, 0, 2, 1, 1, 1, 2});
  builder.graph().mutable_initializer(0)->clear_dims();
  for (int64_t dim : {2, 2, 2})
    builder.graph().mutable_initializer(0)->add_dims(dim);
  builder.node("ScatterND", {"x", "i", "u"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({2, 4}), ramp({2, 2}, 20)})),
            Floats({1, 20, 21, 4, 5, 22, 23, 8}));
  EXPECT_TRUE(mentions(builder, "concat"));
  EXPECT_FALSE(mentions(builder, "gather"));
}

TEST(OnnxElements, AssignedCorner) {
  OnnxBuilder builder;
  builder.input("x", {2, 3, 2});
  builder.input("u", {1, 1, 2});
  builder.integers("i", {1, 1});
  builder.graph().mutable_initializer(0)->clear_dims();
  for (int64_t dim : {1, 1, 2})
    builder.graph().mutable_initializer(0)->add_dims(dim);
  builder.node("ScatterND", {"x", "i", "u"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({2, 3, 2}), ramp({1, 1, 2}, 20)})),
            Floats({1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 11, 12}));
}

/// Every other element: no box.
TEST(OnnxElements, AssignedWithSteps) {
  OnnxBuilder builder;
  builder.input("x", {5});
  builder.input("u", {3});
  builder.integers("i", {0, 2, -1});
  builder.node("ScatterElements", {"x", "i", "u"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({5}), ramp({3}, 20)})),
            Floats({20, 2, 21, 4, 22}));
}

TEST(OnnxElements, KnownAssignment) {
  OnnxBuilder builder;
  builder.input("x", {1, 2, 3});
  builder.integers("shape", {9, 6});
  builder.integers("place", {0});
  builder.integers("batch", {1});
  builder.node("ScatterElements", {"shape", "place", "batch"}, {"final"});
  builder.node("Reshape", {"x", "final"}, {"y"});
  builder.output("y");
  EXPECT_TRUE(mentions(builder, "reshape %x shape=[1, 6]"));
}

/// How PyTorch spells arange(3) in opset 9.
TEST(OnnxElements, WhereKnownElementsAreNotZero) {
  OnnxBuilder builder(9);
  builder.input("x", {2, 3});
  builder.integers("size", {3});
  OnnxBuilder::fill(*attribute(builder.node("ConstantOfShape", {"size"}, {"ones"}), "value",
                               onnx::AttributeProto::TENSOR)
                         .mutable_t(),
                    "", {1}, {1});
  builder.node("NonZero", {"ones"}, {"places"}); // [[0, 1, 2]]
  set(builder.node("Cast", {"places"}, {"row"}), "to", 1);
  builder.node("Add", {"x", "row"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({2, 3})})), Floats({1, 3, 5, 4, 6, 8}));
}

OnnxBuilder gathering(const Ints &indices) {
  OnnxBuilder builder;
  builder.input("x", {2, 3});
  if (indices.empty()) {
    builder.input("i", {2, 2}, onnx::TensorProto::INT64);
  } else {
    builder.integers("i", indices);
    builder.graph().mutable_initializer(0)->set_dims(0, 2);
    builder.graph().mutable_initializer(0)->add_dims(2);
  }
  set(builder.node("GatherElements", {"x", "i"}, {"y"}), "axis", 1);
  builder.output("y");
  return builder;
}

TEST(OnnxElements, GatheredByKnownIndices) {
  OnnxBuilder builder = gathering({0, 2, 1, -1});
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({2, 3})})), Floats({1, 3, 5, 6}));
  OnnxBuilder same = gathering({2, 0, 2, 0}); // in every row: an ordinary gather
  EXPECT_EQ(numbers(run_imported(same.bytes(), {ramp({2, 3})})), Floats({3, 1, 6, 4}));
  EXPECT_TRUE(mentions(same, "axis=1"));
}

TEST(OnnxElements, GatheredByComputedIndices) {
  OnnxBuilder builder = gathering({});
  EXPECT_EQ(numbers(run_imported(builder.bytes(),
                                 {ramp({2, 3}), integers_of({2, 2}, Ints{0, 2, 1, -1})})),
            Floats({1, 3, 5, 6}));
}

TEST(OnnxElements, GatheredSlicesByComputedIndices) {
  OnnxBuilder builder;
  builder.input("x", {2, 3, 2});
  builder.input("i", {2, 2}, onnx::TensorProto::INT64);
  builder.node("GatherND", {"x", "i"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(),
                                 {ramp({2, 3, 2}), integers_of({2, 2}, Ints{0, 2, -1, 0})})),
            Floats({5, 6, 7, 8}));
}

TEST(OnnxRemainders, AtRunTime) {
  for (auto [fmod, expected] : {std::pair<int, Floats>{0, {2, 1, -1, -2}}, {1, {-1, 1, -1, 1}}}) {
    OnnxBuilder builder;
    builder.input("x", {4}, onnx::TensorProto::INT64);
    builder.input("d", {4}, onnx::TensorProto::INT64);
    set(builder.node("Mod", {"x", "d"}, {"m"}), "fmod", fmod);
    set(builder.node("Cast", {"m"}, {"y"}), "to", 1);
    builder.output("y");
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {integers_of({4}, Ints{-7, 7, -7, 7}),
                                                     integers_of({4}, Ints{3, 3, -3, -3})})),
              expected);
  }
}

TEST(OnnxRunningSums, AlongTheFirstAxis) {
  OnnxBuilder builder;
  builder.input("x", {3, 2});
  builder.integers("axis", {0});
  onnx::NodeProto &node = builder.node("CumSum", {"x", "axis"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({3, 2})})), Floats({1, 2, 4, 6, 9, 12}));
  set(node, "reverse", 1);
  set(node, "exclusive", 1);
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({3, 2})})), Floats({8, 10, 5, 6, 0, 0}));
}

/// A branch with a constant of its own, that reads a value from around it.
onnx::GraphProto branch(const std::string &op, const std::string &result, float constant) {
  onnx::GraphProto graph;
  graph.set_name(op);
  OnnxBuilder::fill(*graph.add_initializer(), result + ".constant", {1}, {constant});
  onnx::NodeProto &node = *graph.add_node();
  node.set_op_type(op);
  node.add_input("seen");
  node.add_input(result + ".constant");
  node.add_output(result);
  graph.add_output()->set_name(result);
  return graph;
}

/// As exporters of Squeeze and LpPool write it: the condition compares a dimension.
OnnxBuilder branching(int64_t size) {
  OnnxBuilder builder;
  builder.input("x", {1, size});
  builder.integers("one", {1});
  builder.node("Shape", {"x"}, {"shape"});
  builder.node("Gather", {"shape", "one"}, {"dim"});
  builder.node("Equal", {"dim", "one"}, {"condition"});
  onnx::NodeProto &node = builder.node("If", {"condition"}, {"y"});
  *attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g() =
      branch("Add", "sum", 10);
  *attribute(node, "else_branch", onnx::AttributeProto::GRAPH).mutable_g() =
      branch("Mul", "product", 2);
  builder.node("Neg", {"x"}, {"seen"}); // only the branches read it
  builder.output("y");
  return builder;
}

TEST(OnnxBranches, OnlyTheOneTaken) {
  EXPECT_EQ(numbers(run_imported(branching(1).bytes(), {ramp({1, 1})})), Floats({9}));
  EXPECT_EQ(numbers(run_imported(branching(2).bytes(), {ramp({1, 2})})), Floats({-2, -4}));
  EXPECT_FALSE(mentions(branching(2), "add"));
}

/// A branch without nodes gives out a value from around it, which nothing else reads.
TEST(OnnxBranches, MayGiveOutWhatIsAround) {
  OnnxBuilder builder = branching(2);
  for (int side : {0, 1}) {
    onnx::GraphProto &graph =
        *builder.graph().mutable_node(3)->mutable_attribute(side)->mutable_g();
    graph.clear_node();
    graph.mutable_output(0)->set_name(side == 0 ? "x" : "seen");
  }
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2})})), Floats({-1, -2}));
}

TEST(OnnxBranches, TheOtherMayHoldAnything) {
  OnnxBuilder builder = branching(2);
  onnx::NodeProto &node = *builder.graph().mutable_node(3);
  node.mutable_attribute(0)->mutable_g()->mutable_node(0)->set_op_type("Frobnicate");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2})})), Floats({-2, -4}));
  node.mutable_attribute(1)->mutable_g()->mutable_node(0)->set_op_type("Frobnicate");
  EXPECT_EQ(import_error(builder.bytes()),
            "model.onnx: error: node 'product' (Frobnicate): this op is not supported\n");
}

Floats pooled(const std::string &op, const Ints &shape,
              const std::vector<std::pair<std::string, Ints>> &lists, bool ceil_mode,
              bool count_padding = false) {
  OnnxBuilder builder(19);
  builder.input("x", shape);
  onnx::NodeProto &node = builder.node(op, {"x"}, {"y"});
  for (const auto &[name, list] : lists)
    set(node, name, list);
  set(node, "ceil_mode", ceil_mode ? 1 : 0);
  if (op == "LpPool")
    set(node, "p", 1);
  else
    set(node, "count_include_pad", count_padding ? 1 : 0);
  builder.output("y");
  return numbers(run_imported(builder.bytes(), {ramp(shape)}));
}

TEST(OnnxPools, SumsOfCeilMode) {
  EXPECT_EQ(pooled("LpPool", {1, 1, 5}, {{"kernel_shape", {2}}, {"strides", {2}}}, true),
            Floats({3, 7, 5}));
  EXPECT_EQ(pooled("LpPool", {1, 1, 5}, {{"kernel_shape", {2}}, {"strides", {2}}, {"pads", {1, 1}}},
                   true),
            Floats({1, 5, 9}));
}

TEST(OnnxPools, MeansWithGaps) {
  std::vector<std::pair<std::string, Ints>> window = {{"kernel_shape", {2}}, {"dilations", {2}}};
  EXPECT_EQ(pooled("AveragePool", {1, 2, 4}, window, false), Floats({2, 3, 6, 7}));
  window.push_back({"pads", {1, 1}});
  EXPECT_EQ(pooled("AveragePool", {1, 1, 4}, window, false), Floats({2, 2, 3, 3}));
  EXPECT_EQ(pooled("AveragePool", {1, 1, 4}, window, false, true), Floats({1, 2, 3, 1.5}));
  window.push_back({"strides", {2}});
  EXPECT_EQ(pooled("AveragePool", {1, 1, 4}, window, true, true), Floats({1, 3, 4}));
}

/// A trilinear ramp stays one.
TEST(OnnxVolumes, Resized) {
  OnnxBuilder builder;
  builder.input("x", {1, 1, 2, 2, 2});
  builder.weight("scales", {5}, {1, 1, 1.5, 1.5, 1});
  onnx::NodeProto &node = builder.node("Resize", {"x", "", "scales"}, {"y"});
  set(node, "mode", std::string("linear"));
  set(node, "coordinate_transformation_mode", std::string("align_corners"));
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 1, 2, 2, 2})})),
            Floats({1, 2, 2, 3, 3, 4, 3, 4, 4, 5, 5, 6, 5, 6, 6, 7, 7, 8}));
}

/// 4 elements become 2: weights 4/8 3/8 1/8 0, the first with what lies beyond the edge.
TEST(OnnxResize, Antialiased) {
  auto run = [](const Ints &shape, const Floats &scales) {
    OnnxBuilder builder(18);
    builder.input("x", shape);
    builder.weight("scales", {static_cast<int64_t>(scales.size())}, scales);
    onnx::NodeProto &node = builder.node("Resize", {"x", "", "scales"}, {"y"});
    set(node, "mode", std::string("linear"));
    set(node, "antialias", 1);
    builder.output("y");
    return numbers(run_imported(builder.bytes(), {ramp(shape)}));
  };
  EXPECT_EQ(run({1, 1, 4}, {1, 1, 0.5}), Floats({1.625, 3.375}));
  EXPECT_EQ(run({1, 1, 4, 2}, {1, 1, 0.5, 2}), Floats({2.25, 2.5, 3, 3.25, 5.75, 6, 6.5, 6.75}));
  EXPECT_EQ(run({1, 1, 4, 1, 4}, {1, 1, 0.5, 1, 0.5}), Floats({4.125, 5.875, 11.125, 12.875}));
  // An axis that keeps its size is left alone.
  EXPECT_EQ(run({1, 1, 4, 4}, {1, 1, 0.5, 1.2F}),
            Floats({3.5, 4.5, 5.5, 6.5, 10.5, 11.5, 12.5, 13.5}));
}

/// One scale for both axes, 0.4, whatever the sizes are rounded to: rows 0.75 and 3.25, behind the
/// last one, and columns 0.75 and 3.25.
TEST(OnnxResize, KeepsTheAspectRatio) {
  OnnxBuilder builder(18);
  builder.input("x", {1, 1, 4, 5});
  builder.integers("sizes", {2, 2});
  onnx::NodeProto &node = builder.node("Resize", {"x", "", "", "sizes"}, {"y"});
  set(node, "mode", std::string("linear"));
  set(node, "axes", Ints{2, 3});
  set(node, "keep_aspect_ratio_policy", std::string("not_larger"));
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 1, 4, 5})})),
            Floats({5.5, 8, 16.75, 19.25}));
}

TEST(OnnxVersions, TileOfOneAxis) {
  OnnxBuilder builder(5);
  builder.input("x", {1, 2});
  builder.weight("tiles", {}, {2});
  builder.weight("axis", {}, {1});
  builder.node("Tile", {"x", "tiles", "axis"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2})})), Floats({1, 2, 1, 2}));
}

TEST(OnnxVersions, BatchNormOfPositions) {
  OnnxBuilder builder(7);
  builder.input("x", {1, 1, 2});
  builder.weight("scale", {1, 2}, {2, 3});
  builder.weight("bias", {1, 2}, {10, 20});
  builder.weight("mean", {1, 2}, {1, 0});
  builder.weight("variance", {1, 2}, {4, 1});
  onnx::NodeProto &node =
      builder.node("BatchNormalization", {"x", "scale", "bias", "mean", "variance"}, {"y"});
  set(node, "spatial", 0);
  set(node, "epsilon", 0.0F);
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 1, 2})})), Floats({10, 26}));
}

/// Some exporters leave dropout in training mode where it drops nothing.
TEST(OnnxVersions, DropoutOfNothing) {
  OnnxBuilder builder;
  builder.input("x", {1, 2});
  builder.weight("ratio", {}, {0});
  builder.integers("training", {1});
  builder.node("Dropout", {"x", "ratio", "training"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2})})), Floats({1, 2}));
}

} // namespace
} // namespace cnnc
