// How exporters write networks: where constants are, names, shapes that are computed. Every model is built here as the exporter would.
#include "onnx_models.h"

namespace cnnc {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

/// x + w, with w from wherever the test puts it.
OnnxBuilder adding(int64_t opset = 17) {
  OnnxBuilder builder(opset);
  builder.input("x", {1, 4});
  builder.node("Add", {"x", "w"}, {"y"});
  builder.output("y");
  return builder;
}

Floats run_adding(OnnxBuilder &builder) {
  return numbers(run_imported(builder.bytes(), {ramp({1, 4})}));
}

TEST(OnnxConstants, InitializersListedAsInputs) {
  OnnxBuilder builder = adding();
  builder.input("w", {4});
  builder.weight("w", {4}, {10, 20, 30, 40});
  EXPECT_EQ(run_adding(builder), Floats({11, 22, 33, 44}));
  EXPECT_NE(imported_text(builder.bytes()).find("(%x: f32[1, 4]) {"), std::string::npos);
}

TEST(OnnxProgress, Nodes) {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.node("Relu", {"x"}, {"a"});
  builder.node("Exp", {"a"}, {"b"});
  builder.node("Tanh", {"b"}, {"y"});
  builder.output("y");
  std::vector<std::string> told;
  LoadOptions options;
  options.progress = [&](std::string_view what, size_t done, size_t total) {
    told.push_back(std::to_string(done) + " of " + std::to_string(total) + " " + std::string(what));
  };
  imported_text(builder.bytes(), options);
  EXPECT_EQ(told, std::vector<std::string>(
                      {"0 of 3 nodes imported", "1 of 3 nodes imported", "2 of 3 nodes imported"}));
}

TEST(OnnxConstants, TypedData) {
  OnnxBuilder builder = adding();
  onnx::TensorProto &tensor = *builder.graph().add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(4);
  for (float value : {1, 2, 3, 4})
    tensor.add_float_data(value);
  EXPECT_EQ(run_adding(builder), Floats({2, 4, 6, 8}));
}

TEST(OnnxConstants, HalvesAndDoubles) {
  for (auto type : {onnx::TensorProto::FLOAT16, onnx::TensorProto::BFLOAT16}) {
    OnnxBuilder builder = adding();
    onnx::TensorProto &tensor = *builder.graph().add_initializer();
    tensor.set_name("w");
    tensor.set_data_type(type);
    tensor.add_dims(4);
    bool half = type == onnx::TensorProto::FLOAT16;
    for (int bits : half ? std::vector<int>{0x3c00, 0x4000, 0xc000, 0x3800}
                         : std::vector<int>{0x3f80, 0x4000, 0xc000, 0x3f00})
      tensor.add_int32_data(bits); // 1, 2, -2, 0.5
    EXPECT_EQ(run_adding(builder), Floats({2, 4, 1, 4.5}));
  }
  OnnxBuilder builder = adding();
  onnx::TensorProto &tensor = *builder.graph().add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::DOUBLE);
  tensor.add_dims(4);
  for (double value : {0.1, 0.2, 0.3, 0.4})
    tensor.add_double_data(value);
  std::vector<std::string> remarks;
  LoadOptions options;
  options.remark = [&](const std::string &text) { remarks.push_back(text); };
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 4})}, options)),
            Floats({1.1F, 2.2F, 3.3F, 4.4F}));
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(remarks[0].find("constants of type DOUBLE are rounded to f32"), std::string::npos);
}

TEST(OnnxConstants, InConstantNodes) {
  OnnxBuilder builder = adding();
  onnx::NodeProto &node = *builder.graph().mutable_node()->Add();
  node.set_op_type("Constant");
  node.add_output("w"); // behind its user: the order is not ONNX's, but files like it exist
  OnnxBuilder::fill(*attribute(node, "value", onnx::AttributeProto::TENSOR).mutable_t(), "", {4},
                    {1, 1, 2, 2});
  EXPECT_EQ(run_adding(builder), Floats({2, 3, 5, 6}));
  node.clear_attribute();
  set(node, "value_floats", Floats{4, 3, 2, 1});
  EXPECT_EQ(run_adding(builder), Floats({5, 5, 5, 5}));
  node.clear_attribute();
  set(node, "value_float", 0.5F);
  EXPECT_EQ(run_adding(builder), Floats({1.5, 2.5, 3.5, 4.5}));
  node.clear_attribute();
  attribute(node, "sparse_value", onnx::AttributeProto::SPARSE_TENSOR);
  EXPECT_NE(import_error(builder.bytes())
                .find("node 'w' (Constant): only constants given as value, value_int,"),
            std::string::npos);
}

/// Weights that protobuf never sees, in all the fields that can hold them.
TEST(OnnxConstants, LargeOnesStayInTheFile) {
  Floats values(1000);
  std::iota(values.begin(), values.end(), 0.5F);
  for (int variant = 0; variant < 3; ++variant) {
    OnnxBuilder builder;
    builder.input("x", {1, 1000});
    builder.node("Add", {"x", "w"}, {"y"});
    builder.output("y");
    onnx::TensorProto &tensor = builder.weight("w", {1000}, values);
    tensor.set_doc_string("9 0 4000");
    if (variant == 1) {
      tensor.clear_raw_data();
      tensor.mutable_float_data()->Add(values.begin(), values.end());
    } else if (variant == 2) {
      tensor.clear_raw_data();
      tensor.set_data_type(onnx::TensorProto::DOUBLE);
      tensor.mutable_double_data()->Add(values.begin(), values.end());
    }
    Tensor zeros(TensorType{DType::f32, {1, 1000}});
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {zeros})), values);
  }
}

TEST(OnnxNames, SlashesColonsAndControlCharacters) {
  OnnxBuilder builder;
  builder.input("image:0", {1, 4});
  builder.weight("block/w\n", {4}, {1, 2, 3, 4});
  builder.node("Add", {"image:0", "block/w\n"}, {"block/conv:0"});
  builder.node("Relu", {"block/conv:0"}, {"out.put"});
  builder.output("out.put");
  std::string text = imported_text(builder.bytes());
  EXPECT_NE(text.find("%\"block/w_\" = weight \"block/w_\""), std::string::npos) << text;
  EXPECT_NE(text.find("%\"block/conv:0\" = add %\"image:0\""), std::string::npos) << text;
  EXPECT_NE(text.find("return %out.put"), std::string::npos) << text;
}

/// A node of several ops: the last is called like the output, the others after it, and none like
/// another value of the file.
TEST(OnnxNames, OfDecomposedNodes) {
  OnnxBuilder builder(12);
  builder.input("x", {2, 3, 4});
  builder.node("Softmax", {"x"}, {"y"});
  builder.node("Relu", {"y"}, {"y.reshape"});
  builder.output("y.reshape");
  std::string text = imported_text(builder.bytes());
  EXPECT_NE(text.find("%y.reshape.1 = reshape %x"), std::string::npos) << text;
  EXPECT_NE(text.find("%y = reshape %y.softmax"), std::string::npos) << text;
  EXPECT_NE(text.find("%y.reshape = relu %y"), std::string::npos) << text;
}

TEST(OnnxNames, OutputsThatNoOpComputes) {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.node("Relu", {"x"}, {"inner"});
  builder.node("Identity", {"inner"}, {"y"});
  builder.node("Dropout", {"x"}, {"z", ""});
  builder.output("y");
  builder.output("z");
  std::string text = imported_text(builder.bytes());
  EXPECT_NE(text.find("%y = relu %x"), std::string::npos) << text;
  EXPECT_NE(text.find("%z = reshape %x shape=[1, 4]"), std::string::npos) << text;
  EXPECT_NE(text.find("return %y, %z"), std::string::npos) << text;
}

TEST(OnnxGraphs, UnusedNodesAreNotLookedAt) {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.node("NoSuchOp", {"x"}, {"unused"});
  builder.node("Relu", {"x"}, {"y"});
  builder.output("y");
  EXPECT_EQ(imported_text(builder.bytes()),
            "model @test(%x: f32[1, 4]) {\n  %y = relu %x : f32[1, 4]\n  return %y\n}\n");
}

/// Old exporters name outputs of training that nobody reads.
TEST(OnnxGraphs, OutputsThatNobodyReads) {
  OnnxBuilder builder(11);
  builder.input("x", {-1, 2, 4, 4});
  for (const char *name : {"a", "b", "c", "d"})
    builder.weight(name, {2}, {1, 1});
  builder.node("BatchNormalization", {"x", "a", "b", "c", "d"}, {"n", "m1", "v1", "m2", "v2"});
  builder.node("Dropout", {"n"}, {"p", "mask"});
  onnx::NodeProto &pool = builder.node("MaxPool", {"p"}, {"y", "indices"});
  set(pool, "kernel_shape", Ints{2, 2});
  builder.output("y");
  std::vector<std::string> remarks;
  LoadOptions options;
  options.remark = [&](const std::string &text) { remarks.push_back(text); };
  EXPECT_NE(imported_text(builder.bytes(), options).find("%y = max_pool2d %n"), std::string::npos);
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(remarks[0].find("BatchNormalization is of training, with the mean and variance of its "
                            "input, but is compiled for inference, with those of the file"),
            std::string::npos);
}

/// Arithmetic on integers that are computed at run time goes through f32.
TEST(OnnxGraphs, IntegersAtRunTime) {
  OnnxBuilder builder;
  builder.input("x", {1, 4}, onnx::TensorProto::INT64);
  builder.integers("w", {2, 2, 2, 2});
  builder.node("Div", {"x", "w"}, {"y"});
  builder.output("y", onnx::TensorProto::INT64);
  std::string text = imported_text(builder.bytes());
  EXPECT_NE(text.find("%y = cast %y.div to=i64 : i64[1, 4]"), std::string::npos) << text;
}

TEST(OnnxWindows, AutomaticPads) {
  for (auto [mode, expected] : {std::pair<const char *, Floats>{"SAME_UPPER", {3, 5, 3}},
                                {"SAME_LOWER", {1, 3, 5}},
                                {"VALID", {3, 5}}}) {
    OnnxBuilder builder;
    builder.input("x", {1, 1, 3});
    builder.weight("w", {1, 1, 2}, {1, 1});
    set(builder.node("Conv", {"x", "w"}, {"y"}), "auto_pad", std::string(mode));
    builder.output("y");
    EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 1, 3})})), expected) << mode;
  }
}

/// A window that would begin in the padding behind the input is none.
TEST(OnnxWindows, CeilMode) {
  OnnxBuilder builder;
  builder.input("x", {1, 1, 1, 5});
  onnx::NodeProto &node = builder.node("MaxPool", {"x"}, {"y"});
  set(node, "kernel_shape", Ints{1, 2});
  set(node, "strides", Ints{1, 2});
  set(node, "ceil_mode", 1);
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 1, 1, 5})})), Floats({2, 4, 5}));
  set(node, "pads", Ints{0, 1, 0, 1});
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 1, 1, 5})})), Floats({1, 3, 5}));
}

/// Each slice by slice: a cube of ones sums its neighbourhood.
TEST(OnnxWindows, ThreeDimensions) {
  OnnxBuilder builder;
  builder.input("x", {1, 2, 2, 2, 2});
  builder.weight("w", {2, 1, 2, 2, 2}, Floats(16, 1));
  builder.weight("b", {2}, {0.5, -0.5});
  set(builder.node("Conv", {"x", "w", "b"}, {"y"}), "group", 2);
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 2, 2, 2, 2})})), Floats({36.5, 99.5}));
  OnnxBuilder pools;
  pools.input("x", {1, 1, 2, 2, 2});
  for (const char *op : {"MaxPool", "AveragePool"}) {
    set(pools.node(op, {"x"}, {op}), "kernel_shape", Ints{2, 2, 2});
    pools.output(op);
  }
  std::vector<Tensor> outputs = run_imported(pools.bytes(), {ramp({1, 1, 2, 2, 2})});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].floats()[0], 8);
  EXPECT_EQ(outputs[1].floats()[0], 4.5);
}

/// What PyTorch writes for x.view(x.size(0), -1): the batch goes through as it is.
TEST(OnnxShapes, SymbolicBatchThroughShapeArithmetic) {
  OnnxBuilder builder;
  builder.input("x", {-1, 2, 3});
  builder.integers("zero", {0});
  builder.integers("rest", {-1});
  builder.node("Shape", {"x"}, {"shape"});
  builder.node("Gather", {"shape", "zero"}, {"batch"});
  builder.node("Concat", {"batch", "rest"}, {"wanted"});
  set(builder.graph().mutable_node()->at(2), "axis", 0);
  builder.node("Reshape", {"x", "wanted"}, {"y"});
  builder.output("y");
  EXPECT_EQ(imported_text(builder.bytes()),
            "model @test(%x: f32[batch, 2, 3]) {\n"
            "  %y = reshape %x shape=[0, 6] : f32[batch, 6]\n  return %y\n}\n");
  LoadOptions fixed;
  fixed.shapes = {"5x2x3"};
  EXPECT_NE(imported_text(builder.bytes(), fixed).find("shape=[5, 6]"), std::string::npos);
  fixed.shapes = {"x=kx2x3"};
  EXPECT_NE(imported_text(builder.bytes(), fixed).find("f32[k, 6]"), std::string::npos);
}

TEST(OnnxShapes, ArithmeticOnTheBatchNeedsANumber) {
  OnnxBuilder builder;
  builder.input("x", {-1, 2, 3});
  builder.integers("zero", {0});
  builder.integers("two", {2});
  builder.integers("rest", {-1});
  builder.node("Shape", {"x"}, {"shape"});
  builder.node("Gather", {"shape", "zero"}, {"batch"});
  builder.node("Mul", {"batch", "two"}, {"twice"});
  set(builder.node("Concat", {"twice", "rest"}, {"wanted"}), "axis", 0);
  builder.node("Reshape", {"x", "wanted"}, {"y"});
  builder.output("y");
  EXPECT_EQ(import_error(builder.bytes()),
            "model.onnx: error: node 'Mul_3' (Mul): it computes with the size of the batch, which "
            "is symbolic: fix it with --shape x=1x2x3\n");
  LoadOptions fixed;
  fixed.shapes = {"x=5x2x3"};
  EXPECT_NE(imported_text(builder.bytes(), fixed).find("f32[10, 3]"), std::string::npos);
}

TEST(OnnxShapes, OtherDimensionsMustBeKnown) {
  OnnxBuilder builder;
  builder.input("x", {-1, 3, -2, -2});
  builder.node("Relu", {"x"}, {"y"});
  builder.output("y");
  EXPECT_EQ(import_error(builder.bytes()),
            "model.onnx: error: input 'x': its shape is [batch, 3, ?, ?], and only the first "
            "dimension may be unknown: say them with --shape 1x3x224x224 (or whatever size it "
            "has)\n");
  LoadOptions options;
  options.shapes = {"nx3x6x8"};
  EXPECT_NE(imported_text(builder.bytes(), options).find("f32[n, 3, 6, 8]"), std::string::npos);
  for (const char *wrong : {"1x3x-6x8", "1x3xhx8", "", "1xx3", "1x4x6x8", "z=1x3x6x8", "1x3"}) {
    options.shapes = {wrong};
    EXPECT_NE(import_error(builder.bytes(), options).find("--shape"), std::string::npos) << wrong;
  }
}

/// Where, Equal, Range, Cast and float arithmetic on sizes, as exporters write them.
TEST(OnnxShapes, FoldedArithmetic) {
  OnnxBuilder builder;
  builder.input("x", {1, 2, 4, 6});
  builder.integers("minus_one", {-1});
  builder.integers("wanted", {1, -1, 4, 6});
  builder.weight("half", {}, {0.5});
  builder.node("Equal", {"wanted", "minus_one"}, {"is_open"});
  builder.node("Shape", {"x"}, {"shape"});
  builder.node("Where", {"is_open", "shape", "wanted"}, {"closed"});
  builder.node("Cast", {"closed"}, {"floats"});
  set(builder.graph().mutable_node()->at(3), "to", 1);
  builder.node("Mul", {"floats", "half"}, {"halves"});
  builder.node("Floor", {"halves"}, {"floors"});
  set(builder.node("Cast", {"floors"}, {"sizes"}), "to", 7);
  builder.integers("from", {2});
  builder.integers("to", {4});
  builder.node("Slice", {"sizes", "from", "to"}, {"hw"}); // [2, 3]
  builder.node("ReduceProd", {"hw"}, {"product"});        // 6
  builder.integers("eight", {8});
  set(builder.node("Concat", {"eight", "product"}, {"final"}), "axis", 0);
  builder.node("Reshape", {"x", "final"}, {"y"});
  builder.output("y");
  EXPECT_NE(imported_text(builder.bytes()).find("%y = reshape %x shape=[8, 6] : f32[8, 6]"),
            std::string::npos);
}

/// Every layer reads the one before twice: there are 2^60 ways to the constant.
TEST(OnnxGraphs, ConstantsOfManyPaths) {
  OnnxBuilder builder;
  builder.input("x", {1, 3});
  builder.weight("w0", {3, 3}, Floats(9, 0));
  for (int i = 0; i < 60; ++i) {
    std::string last = "w" + std::to_string(i);
    builder.node("Add", {last, last}, {"w" + std::to_string(i + 1)});
  }
  builder.node("MatMul", {"x", "w60"}, {"y"});
  builder.output("y");
  EXPECT_NE(imported_text(builder.bytes()).find("%y = dense %x"), std::string::npos);
}

/// Shapes that the file states beside its nodes are not needed, and many are stale.
TEST(OnnxGraphs, StaleShapes) {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.node("Relu", {"x"}, {"a"});
  builder.node("Neg", {"a"}, {"b"});
  builder.node("Exp", {"b"}, {"y"});
  builder.output("y");
  auto state = [&](const std::string &name, const Ints &dims) {
    onnx::ValueInfoProto &info = *builder.graph().add_value_info();
    info.set_name(name);
    for (int64_t dim : dims)
      info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(dim);
  };
  std::vector<std::string> remarks;
  LoadOptions options;
  options.remark = [&](const std::string &text) { remarks.push_back(text); };
  state("a", {2, 4});
  imported_text(builder.bytes(), options);
  EXPECT_TRUE(remarks.empty()) << remarks[0];
  state("b", {1, 5});
  imported_text(builder.bytes(), options);
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(
      remarks[0].find("node 'Neg_2' (Neg): its output 'b' has the shape [1, 4], not [1, 5] as "
                      "the file says"),
      std::string::npos)
      << remarks[0];
  state("y", {4});
  imported_text(builder.bytes(), options);
  ASSERT_EQ(remarks.size(), 2u);
  EXPECT_NE(remarks[1].find("as the file says; 1 other values differ, too"), std::string::npos);
}

/// What only nodes read that no output needs is not wanted: a mask, training, indices.
TEST(OnnxGraphs, OutputsThatOnlyUnusedNodesRead) {
  OnnxBuilder builder;
  builder.input("x", {-1, 4});
  builder.node("Dropout", {"x"}, {"y", "mask"});
  builder.node("Not", {"mask"}, {"unused"});
  builder.output("y");
  EXPECT_NE(imported_text(builder.bytes()).find("return %y"), std::string::npos);
}

/// Exporters spell "to the beginning" with the smallest integer.
TEST(OnnxShapes, SmallestInteger) {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.integers("from", {-1});
  builder.integers("to", {INT64_MIN});
  builder.integers("axis", {1});
  builder.node("Slice", {"x", "from", "to", "axis", "from"}, {"y"});
  builder.output("y");
  EXPECT_EQ(numbers(run_imported(builder.bytes(), {ramp({1, 4})})), Floats({4, 3, 2, 1}));
}

/// Each as the name of a node, its integers, and the dimensions that it computes.
TEST(OnnxShapes, FoldedIntegers) {
  struct Case {
    const char *op;
    std::vector<Ints> inputs;
    std::string shape;
  };
  for (const Case &c : {Case{"Pow", {{3, 2}, {2, 0}}, "[9, 1]"},
                        {"Pow", {{-1, 7}, {2, 1}}, "[1, 7]"},
                        {"Range", {{4}, {0}, {-3}}, "[4, 1]"},
                        {"Range", {{1}, {4}, {2}}, "[1, 3]"},
                        {"Mod", {{-7, 7}, {4, 4}}, "[1, 3]"},
                        {"Abs", {{-2, 3}}, "[2, 3]"}}) {
    OnnxBuilder builder;
    std::vector<std::string> names;
    for (const Ints &list : c.inputs)
      builder.integers(names.emplace_back("in" + std::to_string(names.size())), list);
    builder.node(c.op, names, {"y"});
    builder.output("y", onnx::TensorProto::INT64);
    std::string text = imported_text(builder.bytes());
    EXPECT_NE(text.find("literal " + c.shape), std::string::npos) << c.op << text;
  }
}

/// Since opset 18 a region may be given for some axes only.
TEST(OnnxShapes, RegionOfSomeAxes) {
  OnnxBuilder builder(18);
  builder.input("x", {1, 1, 2, 4});
  builder.weight("roi", {2}, {0, 0.5});
  builder.integers("sizes", {2});
  onnx::NodeProto &node = builder.node("Resize", {"x", "roi", "", "sizes"}, {"y"});
  set(node, "axes", Ints{3});
  set(node, "coordinate_transformation_mode", std::string("tf_crop_and_resize"));
  builder.output("y");
  EXPECT_NE(imported_text(builder.bytes()).find("roi=[0, 0, 0, 0, 1, 1, 1, 0.5]"),
            std::string::npos)
      << imported_text(builder.bytes());
}

} // namespace
} // namespace cnnc
