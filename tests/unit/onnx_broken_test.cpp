// Files that are damaged, hostile or beyond what is supported, and what is said about each.
#include "onnx_models.h"
#include "test_files.h"

namespace cnnc {
namespace {

void expect_error(const std::string &bytes, const std::string &expected) {
  std::string error = import_error(bytes);
  EXPECT_NE(error.find(expected), std::string::npos) << error << "does not hold: " << expected;
  EXPECT_TRUE(error.starts_with("model.onnx: error: ")) << error;
}

OnnxBuilder one_relu() {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.node("Relu", {"x"}, {"y"});
  builder.output("y");
  return builder;
}

TEST(BrokenOnnx, Truncated) {
  OnnxBuilder builder = one_relu();
  builder.weight("unused", {1000}, std::vector<float>(1000));
  std::string whole = builder.bytes();
  expect_error(whole.substr(0, whole.size() / 2),
               "this is not an ONNX file, or it is damaged or cut short: of its ");
  expect_error("this is no protobuf", "this is not an ONNX file");
  expect_error("", "there is no graph in this file: it is no ONNX model");
  for (size_t size = 0; size < whole.size(); size += 7)
    EXPECT_FALSE(load_onnx(whole.substr(0, size)));
}

TEST(BrokenOnnx, WithoutGraphOpsetOrOutputs) {
  onnx::ModelProto none;
  none.set_ir_version(8);
  expect_error(none.SerializeAsString(), "there is no graph in this file");
  OnnxBuilder builder = one_relu();
  builder.graph().clear_output();
  expect_error(builder.bytes(), "the graph has no outputs");
  builder = one_relu();
  builder.model.clear_opset_import();
  expect_error(builder.bytes(), "the file does not say which version of the ONNX ops");
  builder.model.add_opset_import()->set_version(0);
  expect_error(builder.bytes(), "opset 0 does not exist");
}

TEST(BrokenOnnx, Cycles) {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.node("Add", {"x", "b"}, {"a"});
  builder.node("Relu", {"a"}, {"b"});
  builder.output("b");
  expect_error(builder.bytes(), "it depends on its own output: the graph has a cycle");
}

TEST(BrokenOnnx, UndefinedAndDuplicateNames) {
  OnnxBuilder builder = one_relu();
  builder.node("Relu", {"nowhere"}, {"z"});
  builder.output("z");
  expect_error(builder.bytes(), "node 'Relu_2' (Relu): 'nowhere' is not defined by any node");
  builder = one_relu();
  builder.node("Relu", {"x"}, {"y"});
  expect_error(builder.bytes(), "node 'Relu_2' (Relu): its output 'y' is defined before");
  builder = one_relu();
  builder.output("never");
  expect_error(builder.bytes(), "output 'never': 'never' is not defined by any node");
  builder = one_relu();
  builder.input("x", {1, 4});
  expect_error(builder.bytes(), "two inputs are named 'x'");
  builder = one_relu();
  builder.weight("w", {1}, {1});
  builder.weight("w", {1}, {1});
  expect_error(builder.bytes(), "two initializers are named 'w'");
}

/// All of what is not supported, in one run, each with its node.
TEST(BrokenOnnx, UnsupportedOpsAreAllNamed) {
  OnnxBuilder builder;
  builder.input("x", {1, 2, 4});
  builder.node("LSTM", {"x"}, {"a"});
  builder.node("Frobnicate", {"a"}, {"b"});
  builder.node("FusedConv", {"b"}, {"c"}).set_domain("com.microsoft");
  builder.node("Loop", {"c"}, {"d"});
  builder.output("d");
  EXPECT_EQ(import_error(builder.bytes()),
            "model.onnx: error: node 'LSTM_1' (LSTM): this op is not supported: recurrent layers "
            "are not; export the network without them\n"
            "model.onnx: error: node 'Frobnicate_2' (Frobnicate): this op is not supported\n"
            "model.onnx: error: node 'FusedConv_3' (FusedConv): ops of the domain 'com.microsoft' "
            "are not supported, only those of ONNX itself\n"
            "model.onnx: error: node 'Loop_4' (Loop): loops are not supported: export the model "
            "with every loop written out\n");
}

/// A model that calls the function f of x, whose body is one node.
OnnxBuilder one_call(const std::string &op) {
  OnnxBuilder builder;
  builder.input("x", {2});
  builder.node("F", {"x"}, {"y"}).set_domain("own");
  builder.output("y");
  onnx::FunctionProto &function = *builder.model.add_functions();
  function.set_name("F");
  function.set_domain("own");
  function.add_input("a");
  function.add_output("b");
  onnx::NodeProto &node = *function.add_node();
  node.set_op_type(op);
  node.add_input("a");
  node.add_output("b");
  return builder;
}

TEST(BrokenOnnx, FunctionsOfTheFile) {
  OnnxBuilder itself = one_call("F");
  itself.model.mutable_functions(0)->mutable_node(0)->set_domain("own");
  expect_error(itself.bytes(), "functions call each other more than 64 deep");
  OnnxBuilder twice = one_call("F"); // the calls double with each step
  for (int i = 0; i < 30; ++i) {
    onnx::FunctionProto &function = *twice.model.add_functions();
    function = twice.model.functions(0);
    function.set_name("F" + std::to_string(i));
    *function.add_node() = function.node(0);
    for (onnx::NodeProto &node : *function.mutable_node()) {
      node.set_domain("own");
      node.set_op_type(i == 0 ? "F" : "F" + std::to_string(i - 1));
    }
  }
  twice.model.mutable_functions(0)->mutable_node(0)->set_op_type("Relu");
  twice.graph().mutable_node(0)->set_op_type("F29");
  expect_error(twice.bytes(),
               "with the functions that it calls the model has more than 1000000 nodes");
  OnnxBuilder more = one_call("Relu");
  more.graph().mutable_node(0)->add_input("x");
  expect_error(more.bytes(), "the function has 1 inputs and 1 outputs; this call has 2 and 1");
  OnnxBuilder other = one_call("Relu");
  other.model.mutable_functions(0)->add_opset_import()->set_version(13);
  expect_error(other.bytes(), "the function is written in opset 13, but the model in opset 17");
  OnnxBuilder unknown = one_call("Frobnicate");
  expect_error(unknown.bytes(), "node 'y' (Frobnicate): this op is not supported");
}

TEST(BrokenOnnx, WrongShapes) {
  OnnxBuilder builder;
  builder.input("x", {1, 3, 8, 8});
  builder.weight("w", {2, 4, 3, 3}, std::vector<float>(72));
  builder.node("Conv", {"x", "w"}, {"y"});
  builder.output("y");
  expect_error(builder.bytes(), "node 'Conv_1' (Conv): ");
  OnnxBuilder reshape;
  reshape.input("x", {1, 4});
  reshape.integers("shape", {3, -1});
  reshape.node("Reshape", {"x", "shape"}, {"y"});
  reshape.output("y");
  expect_error(reshape.bytes(), "f32[1, 4] cannot have the shape [3, -1]");
}

TEST(BrokenOnnx, HugeAndNegativeDimensions) {
  OnnxBuilder builder = one_relu();
  builder.graph()
      .mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(1)
      ->set_dim_value(INT64_MAX);
  expect_error(builder.bytes(), "input 'x': the dimension 9223372036854775807 is larger than");
  for (auto [dims, message] :
       {std::pair<std::vector<int64_t>, const char *>{{-4}, "the dimension -4 is not in"},
        {{INT64_MAX}, "is not in"},
        {{int64_t(1) << 40, int64_t(1) << 40}, "its size overflows"},
        {{1000}, "it has 4 bytes, but its shape needs 4000"}}) {
    OnnxBuilder weights;
    weights.input("x", {1, 4});
    weights.node("Add", {"x", "w"}, {"y"});
    weights.output("y");
    weights.weight("w", dims, {1});
    expect_error(weights.bytes(), message);
  }
  std::vector<int64_t> many(100, 1);
  OnnxBuilder weights;
  weights.input("x", {1, 4});
  weights.node("Add", {"x", "w"}, {"y"});
  weights.output("y");
  weights.weight("w", many, {1});
  expect_error(weights.bytes(), "100 dimensions are more than the 64 allowed");
}

TEST(BrokenOnnx, ElementTypes) {
  OnnxBuilder builder;
  builder.input("x", {1, 4}, onnx::TensorProto::STRING);
  builder.node("Relu", {"x"}, {"y"});
  builder.output("y");
  expect_error(builder.bytes(),
               "input 'x': elements of type STRING are not supported, only FLOAT, FLOAT16,");
  builder = one_relu();
  builder.graph().mutable_input(0)->mutable_type()->mutable_sequence_type();
  expect_error(builder.bytes(), "it is no tensor: sequences, maps and optional values");
  OnnxBuilder weights;
  weights.input("x", {1, 4});
  weights.node("Add", {"x", "w"}, {"y"});
  weights.output("y");
  weights.weight("w", {1}, {1}).set_data_type(onnx::TensorProto::COMPLEX64);
  expect_error(weights.bytes(),
               "tensor 'w': elements of type COMPLEX64 are not supported, only FLOAT, FLOAT16,");
}

TEST(BrokenOnnx, Attributes) {
  OnnxBuilder builder;
  builder.input("x", {1, 1, 4, 4});
  onnx::NodeProto &node = builder.node("MaxPool", {"x"}, {"y"});
  builder.output("y");
  expect_error(builder.bytes(), "it has no 'kernel_shape'");
  set(node, "kernel_shape", 2);
  expect_error(builder.bytes(), "'kernel_shape' must be of type INTS, but is INT");
  node.clear_attribute();
  set(node, "kernel_shape", std::vector<int64_t>{2, 2, 2});
  expect_error(builder.bytes(),
               "'kernel_shape' must be 2 numbers between 1 and 4194304, but is [2, 2, 2]");
  node.clear_attribute();
  set(node, "kernel_shape", std::vector<int64_t>{2, 2});
  set(node, "pads", std::vector<int64_t>{0, 0, -1, 0});
  expect_error(builder.bytes(),
               "'pads' must be 4 numbers between 0 and 4194304, but is [0, 0, -1, 0]");
  node.clear_attribute();
  set(node, "kernel_shape", std::vector<int64_t>{2, 2});
  set(node, "auto_pad", std::string("SAME"));
  expect_error(builder.bytes(), "'auto_pad' is 'SAME', but must be NOTSET, SAME_UPPER, SAME_LOWER");
  node.clear_attribute();
  set(node, "kernel_shape", std::vector<int64_t>{2, 2});
  set(node, "activation", std::string("Relu"));
  expect_error(builder.bytes(), "MaxPool has no attribute 'activation' in opset 17");
}

/// A field whose number has a bit more than protobuf looks at would hide where elements are.
TEST(BrokenOnnx, FieldsThatPretendToBeOthers) {
  onnx::TensorProto tensor;
  OnnxBuilder::fill(tensor, "w", {1000}, std::vector<float>(1000, 1));
  auto field = [](int number, const std::string &content) { // of fewer than 2^14 bytes
    size_t size = content.size();
    return std::string{char(8 * number + 2), char(size % 128 + 128), char(size / 128)} + content;
  };
  const std::string doc_string = "\xe2\x80\x80\x80\x10"; // the tag of field 12, and 2^32
  auto bytes = [&](const std::string &hidden) {
    OnnxBuilder builder = one_relu();
    builder.node("Add", {"y", "w"}, {"z"});
    builder.output("z");
    std::string graph =
        field(onnx::GraphProto::kInitializerFieldNumber, tensor.SerializeAsString() + hidden);
    return builder.bytes() + field(onnx::ModelProto::kGraphFieldNumber, graph);
  };
  EXPECT_NE(import_error(bytes("")).find("do not broadcast"), std::string::npos);
  expect_error(bytes(doc_string + "\x0b" + "9 9999 4000"), "this is not an ONNX file");
}

/// Graphs in nodes in graphs, deeper than any recursion should go.
TEST(BrokenOnnx, NestedGraphs) {
  OnnxBuilder builder = one_relu();
  onnx::GraphProto inner = builder.graph();
  for (int i = 0; i < 60; ++i) {
    OnnxBuilder around = one_relu();
    onnx::GraphProto outer = around.graph();
    *attribute(*outer.mutable_node(0), "body", onnx::AttributeProto::GRAPH).mutable_g() = inner;
    inner = outer;
  }
  builder.graph() = inner;
  expect_error(builder.bytes(), "this is not an ONNX file");
}

using OnnxExternal = InFolder;

/// A model whose weight lies elsewhere, as `location` says.
std::string with_external(const std::string &location, const std::string &offset = "",
                          const std::string &length = "") {
  OnnxBuilder builder;
  builder.input("x", {1, 4});
  builder.node("Add", {"x", "w"}, {"y"});
  builder.output("y");
  onnx::TensorProto &tensor = builder.weight("w", {4}, {});
  tensor.clear_raw_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (auto [key, value] :
       {std::pair("location", location), std::pair("offset", offset), std::pair("length", length)})
    if (!value.empty()) {
      onnx::StringStringEntryProto &entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
  return builder.bytes();
}

TEST_F(OnnxExternal, DataBesideTheModel) {
  fs::create_directory(folder_ / "model");
  fs::path file = folder_ / "model" / "model.onnx";
  std::ofstream(folder_ / "model" / "w.data") << "skip" << raw<float>({1, 2, 3, 4});
  std::ofstream(folder_ / "outside.data") << raw<float>({1, 2, 3, 4});
  fs::create_symlink("../outside.data", folder_ / "model" / "link.data");
  auto loaded = [&](const std::string &bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    return load(file);
  };
  auto expect = [&](const std::string &bytes, const std::string &message) {
    Result<Model> model = loaded(bytes);
    EXPECT_FALSE(model);
    EXPECT_NE(model.error().find(message), std::string::npos) << model.error();
  };
  Result<Model> model = loaded(with_external("w.data", "4", "16"));
  ASSERT_TRUE(model) << model.error();
  EXPECT_EQ(numbers(run_imported(*model, {tensor_of({1, 4}, {0, 0, 0, 0})})),
            std::vector<float>({1, 2, 3, 4}));
  for (const char *location : {"../outside.data", "/etc/passwd", "link.data", "", "a/../../x"})
    expect(with_external(location), "must be a file in the model's folder");
  expect(with_external("w.data", "8", "16"), "are outside of 'w.data', which has 20");
  expect(with_external("w.data", "18446744073709551615"), "are outside of 'w.data'");
  expect(with_external("w.data", "4", "12"), "it has 12 bytes of external data, but its shape");
  expect(with_external("w.data", "four"), "the offset 'four' of its external data is not a number");
  expect(with_external("none.data"), "'none.data', cannot be opened");
  expect_error(with_external("w.data"), "cannot be opened");
  EXPECT_NE(load_onnx(with_external("w.data")).error().find("which was not read from a file"),
            std::string_view::npos);
}

/// Whatever the bytes are: an error or a model, never a crash.
TEST(BrokenOnnx, Mutations) {
  OnnxBuilder builder;
  builder.input("x", {-1, 3, 8, 8});
  builder.weight("w", {4, 3, 3, 3}, std::vector<float>(108, 0.5F));
  builder.integers("shape", {0, -1});
  builder.weight("b", {4}, {1, 2, 3, 4});
  set(builder.node("Conv", {"x", "w", "b"}, {"c"}), "pads", std::vector<int64_t>{1, 1, 1, 1});
  builder.node("Relu", {"c"}, {"r"});
  onnx::NodeProto &pool = builder.node("MaxPool", {"r"}, {"p"});
  set(pool, "kernel_shape", std::vector<int64_t>{2, 2});
  builder.node("Reshape", {"p", "shape"}, {"y"});
  builder.output("y");
  std::string valid = builder.bytes();
  std::mt19937_64 random(1);
  size_t fine = 0;
  for (int i = 0; i < 3000; ++i)
    fine += static_cast<bool>(load_onnx(mutate(valid, random)));
  EXPECT_GT(fine, 0u);
  EXPECT_LT(fine, 3000u);
}

} // namespace
} // namespace cnnc
