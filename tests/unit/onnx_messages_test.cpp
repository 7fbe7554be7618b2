// What is said about nodes that cannot be imported: one node, and a part of the message.
#include "onnx_models.h"

namespace cnnc {
namespace {

using Ints = std::vector<int64_t>;

/// A model of one node, whose inputs are added one after the other.
class One {
public:
  explicit One(const std::string &op, int64_t opset = 17) : builder_(opset) {
    node_ = &builder_.node(op, {}, {"y"});
    builder_.output("y");
  }
  One &input(const Ints &dims, int32_t type = onnx::TensorProto::FLOAT) {
    builder_.input(next(), dims, type);
    return *this;
  }
  One &known(const Ints &values) {
    builder_.integers(next(), values);
    return *this;
  }
  One &numbers(const Ints &dims, const std::vector<float> &values) {
    builder_.weight(next(), dims, values);
    return *this;
  }
  One &weight(const Ints &dims) {
    return numbers(dims, std::vector<float>(static_cast<size_t>(*element_count(dims)), 1));
  }
  One &none() {
    node_->add_input("");
    return *this;
  }
  One &output() {
    node_->add_output("also");
    builder_.output("also");
    return *this;
  }
  template <class T> One &with(const std::string &name, const T &value) {
    set(*node_, name, value);
    return *this;
  }
  void says(const std::string &part, const LoadOptions &options = {}) {
    std::string error = import_error(builder_.bytes(), options);
    EXPECT_NE(error.find(part), std::string::npos) << error << "does not hold: " << part;
    EXPECT_TRUE(error.starts_with("model.onnx: error: node '")) << error;
  }

private:
  std::string next() {
    node_->add_input("in" + std::to_string(node_->input_size()));
    return node_->input(node_->input_size() - 1);
  }
  OnnxBuilder builder_;
  onnx::NodeProto *node_;
};

const auto int64 = onnx::TensorProto::INT64;

TEST(OnnxMessages, Inputs) {
  One("Add").input({1, 4}).says("its input 2 is missing");
  One("Relu").input({4}).known({1}).says("it has 2 inputs, but Relu has at most 1 in opset 17");
  One("Reshape")
      .input({4})
      .input({1}, int64)
      .says(
          "the shape ('in1') must be known when the model is compiled, but depends on the model's");
  One("Reshape").input({4}).weight({1}).says("the shape ('in1') must be integers");
  One("Cast").input({4}).with("to", 14).says(
      "the type COMPLEX64 is not supported, only FLOAT (FLOAT16, BFLOAT16 and");
  One("Range").input({4}).known({1}).known({2}).says(
      "this op is supported only where its inputs are known when the model is compiled");
  One("Where").input({4}).input({4}).input({4}).says("the condition must be of type bool, but is");
}

TEST(OnnxMessages, Broadcasts) {
  One("Expand").input({2, 3}).known({4, 4}).says("f32[2, 3] does not broadcast to [4, 4]");
  One("Tile", 5).input({2, 3}).known({2, 2}).known({1}).says(
      "before opset 6 it has one repeat and one axis");
  One("Tile").input({2, 3}).known({2}).says("1 repeats do not fit f32[2, 3]");
  One("Tile").input({2, 3}).known({2, 0}).says("a dimension cannot be repeated 0 times");
  One("Tile").input({-1, 3}).known({2, 1}).says("it repeats the symbolic batch: fix it with");
  One("ConstantOfShape")
      .known({-2})
      .says("of a value that is computed at compile time has a negative dimension, or more than");
  const int64_t huge = int64_t(1) << 40;
  One("ConstantOfShape")
      .known({huge, huge})
      .says("] of a value that is computed at compile time has");
  One("Expand").known({1}).known({huge, huge}).says("has too many elements");
  One("Expand").input({1}).known({-1}).says("the dimension -1 of the shape is not in 0..");
  One("Add", 6)
      .input({2, 3})
      .input({3, 4})
      .with("broadcast", 1)
      .with("axis", 1)
      .says("the second operand does not fit behind axis 1 of the first");
  One("Where").known({1}).known({1}).known({1}).says("the condition must be of type bool");
}

TEST(OnnxMessages, KnownNumbers) {
  One("Div").known({1}).known({0}).says("Div of the integers 1 and 0 has no result");
  One("Add").known({1, 2, 3}).known({1, 2}).says("[3] and [2] do not broadcast");
  One("Range").known({1, 2}).known({3}).known({1}).says(
      "start, limit and delta must be scalars of");
  One("Range").known({1}).known({3}).known({0}).says(
      "a range from 1 to 3 in steps of 0 has more than 4194304 elements");
  One("Range").known({0}).known({INT64_MAX}).known({1}).says("has more than 4194304 elements");
  One("Range").numbers({}, {0}).numbers({}, {1e30F}).numbers({}, {1}).says("has more than 4194304");
  One("Pow").known({10}).known({19}).says(
      "Pow of the integers 10 and 19 has no result of type i64");
  One("Pow").known({0}).known({-1}).says("Pow of the integers 0 and -1 has no result");
  One("Reshape").known({1, 2, 3, 4}).known({100}).says("i64[4] cannot have the shape [100]");
  One("Add").says("its input 1 is missing");
  One("Max").known({1}).none().says("its input 2 is missing");
  One("Max").input({1}).none().says("its input 2 is missing");
  One("Concat").input({1}).none().with("axis", 0).says("its input 2 is missing");
  One("Upsample", 9).input({1, 1, 2, 2}).says("its input 2 is missing");
  One("Einsum").input({4}).none().with("equation", std::string("i,i->i")).says("its input 2 is");
  One("Relu").input({4}).output().says(
      "its output 2 ('also') is read, but Relu has no such output in opset 17");
  One("Neg").known({1}).with("axis", 1).says("Neg has no attribute 'axis' in opset 17");
  One("ReduceProd")
      .known({int64_t(1) << 40, int64_t(1) << 40})
      .says("its result is too large for i64");
  One("Gather").known({1, 2}).known({2}).says("the index 2 is outside of a dimension of 2");
  One("Gather").input({4}).input({1}).says("the indices must be integers, but are f32[1]");
  One("Concat").known({1}).numbers({1}, {1}).with("axis", 0).says("cannot be joined along axis 0");
}

TEST(OnnxMessages, Windows) {
  One("Conv").input({1, 2}).weight({1, 2}).says("convolutions over 1, 2 and 3 dimensions are");
  One("Conv").input({1, 2, 3, 3}).weight({1, 2, 3}).says("must have 4 dimensions, as many as the");
  One("Conv")
      .input({1, 1, 4, 4})
      .weight({1, 1, 3, 3})
      .with("kernel_shape", Ints{2, 2})
      .says("'kernel_shape' is [2, 2], but the filter's is [3, 3]");
  One("MaxPool")
      .input({1, 2})
      .with("kernel_shape", Ints{})
      .says("pools over 1, 2 and 3 dimensions are supported");
  One("MaxPool")
      .input({1, 1, 4})
      .with("kernel_shape", Ints{1 << 30})
      .with("dilations", Ints{1 << 30})
      .says("'kernel_shape' must be 1 numbers between 1 and 4194304");
  One("MaxPool")
      .input({1, 1, 4})
      .with("kernel_shape", Ints{1 << 20})
      .with("dilations", Ints{1 << 20})
      .says("its windows of 1048576 elements, 1048576 apart, are longer than the 4194304 allowed");
  One("MaxPool")
      .input({1, 1, 4, 4, 4})
      .with("kernel_shape", Ints{2, 2, 2})
      .output()
      .says("indices are supported over one and two dimensions only");
  One("MaxPool")
      .input({-1, 1, 4, 4})
      .with("kernel_shape", Ints{2, 2})
      .output()
      .says("its indices count through the whole batch, which must be known");
  One("LpPool")
      .input({1, 1, 4, 4})
      .with("kernel_shape", Ints{2, 2})
      .with("p", 0)
      .says("p = 0 must be at least 1");
  One("Conv")
      .input({-1, 1, 4, 4, 4})
      .weight({1, 1, 3, 3, 3})
      .says("over three dimensions the batch must be known: fix it with --shape");
  One("Conv").input({1, 3, 4, 4, 4}).weight({1, 1, 3, 3, 3}).says("groups do not fit the input");
  One("ConvTranspose")
      .input({1, 3, 4, 4, 4})
      .weight({1, 1, 3, 3, 3})
      .says("groups do not fit the input");
  One("ConvTranspose")
      .input({1, 1, 4, 4})
      .weight({1, 1, 3, 3})
      .with("output_shape", Ints{0, 0})
      .says("'output_shape' [0, 0] must be 2 sizes between 1 and");
  One("ConvTranspose")
      .input({1, 1, 2, 2, 2})
      .weight({1, 1, 1, 1, 1})
      .with("pads", Ints{2, 0, 0, 2, 0, 0})
      .says("it cuts 2 and 2 elements off dimension 2 of f32[1, 1, 2, 2, 2], which leaves none");
  One("ConvTranspose")
      .input({1, 1, 4, 4})
      .weight({1, 1, 3, 3})
      .with("output_padding", Ints{-1, 0})
      .says("'output_padding' [-1, 0] must be 2 sizes between 0 and");
}

TEST(OnnxMessages, Unpooling) {
  auto unpool = [](const Ints &dims) {
    One one("MaxUnpool");
    one.input(dims).input(dims, int64);
    one.with("kernel_shape", Ints(dims.size() - 2, 2)).with("strides", Ints(dims.size() - 2, 2));
    return one;
  };
  unpool({1, 1, 2, 2, 2}).says("only maps of one or two dimensions are supported");
  unpool({-1, 1, 2, 2}).says("its indices count through the whole batch, which must be known");
  unpool({1, 1, 2, 2}).known({4, 4}).says("the shape of the output must be [1, 1, 4, 4], as the");
  unpool({1, 1, 2, 2})
      .known({1, 1, 3, 4})
      .says("[1, 1, 4, 4], as the windows have it, or larger behind the");
  unpool({1, 1, 2, 2}).known({1, 2, 4, 4}).says("as the windows have it, or larger behind the");
}

TEST(OnnxMessages, Normalisations) {
  auto norm = [](const Ints &dims) {
    One one("BatchNormalization", 15);
    one.input(dims).weight({2}).weight({2}).weight({2}).weight({2});
    return one;
  };
  norm({1, 2, 3}).with("training_mode", 1).says("training is not supported, only inference");
  norm({1, 2, 3}).output().says("only its first output is supported: the others are of training");
  One("GroupNormalization", 18)
      .input({1, 4, 2})
      .weight({3})
      .weight({3})
      .with("num_groups", 3)
      .says("3 groups do not divide the channels of f32[1, 4, 2]");
  auto grouped = [](int64_t opset, const Ints &scale, const Ints &bias) {
    One one("GroupNormalization", opset);
    one.input({1, 16, 2}).weight(scale).weight(bias).with("num_groups", 4);
    return one;
  };
  grouped(18, {16}, {16})
      .says("its scale is f32[16], but opset 18 has one number for each group, [4]: those of "
            "channels need opset 21");
  grouped(18, {4}, {16}).says("its bias is f32[16], but opset 18 has one number for each group");
  grouped(21, {4}, {4}).says("its scale is f32[4], but opset 21 has one number for each channel");
  One("LpNormalization").input({1, 4}).with("p", 3).says("p = 3 is not supported, only 1 and 2");
  One("Gemm").input({1, 4}).input({4}).says("must have 2 dimensions, those of a matrix");
  One("MatMul").input({}).input({4}).says("its operands must not be scalars");
}

TEST(OnnxMessages, Reductions) {
  One("TopK").input({1, 4}).known({1, 2}).says("k must be one number");
  One("ReduceSum").input({1, 4}).known({1, -1}).says("an axis is given twice");
  One("ReduceSum").input({1, 4}).known({2}).says("the axis 2 is not one of the 2 dimensions");
  One("Flatten")
      .input({-1, 3, 4})
      .with("axis", 2)
      .says("it would join the symbolic batch with other dimensions");
  One("Flatten").input({1, 3}).with("axis", 3).says("the axis 3 is not in -2..2");
  One("Size").input({-1, 3}).says("the number of elements depends on the size of the batch");
}

TEST(OnnxMessages, Resizing) {
  auto resize = [](const Ints &dims) {
    One one("Resize", 13);
    one.input(dims).none();
    return one;
  };
  const Ints maps = {1, 1, 2, 2};
  resize(maps).numbers({4}, {1, 1, -2, 2}).says("the scale -2 is not above 0 and at most");
  resize(maps).none().known({1, 1, 0, 2}).says("the size 0 is not in 1..");
  resize(maps).none().says("it needs either scales or sizes");
  resize(maps).numbers({2}, {2, 2}).says("2 numbers do not fit 4 axes");
  One("Upsample", 7)
      .input(maps)
      .with("scales", std::vector<float>{2, 2})
      .says("2 scales or sizes do not fit 4 dimensions");
  One("Resize", 18)
      .input(maps)
      .none()
      .numbers({2}, {2, 2})
      .with("axes", Ints{2})
      .says("2 numbers do not fit 1 axes");
  resize({1, 1}).numbers({2}, {1, 2}).says("only maps of one to three dimensions, [n,");
  One("Resize")
      .input({1, 1, 2, 2, 2})
      .numbers({10}, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1})
      .numbers({5}, {1, 1, 2, 2, 2})
      .with("coordinate_transformation_mode", std::string("tf_crop_and_resize"))
      .says("maps of three dimensions cannot be cropped, or are too large");
  resize(maps).numbers({4}, {1, 2, 2, 2}).says("only the dimensions behind [n, c] can be resized");
  resize(maps)
      .numbers({4}, {1, 1, 2, 2})
      .with("mode", std::string("area"))
      .says("the mode 'area' is not supported, only nearest, linear, cubic");
  One("Resize", 18)
      .input(maps)
      .none()
      .numbers({4}, {1, 1, 2, 2})
      .with("antialias", 1)
      .says("only modes linear and cubic, without tf_crop_and_resize, can be antialiased");
  resize(maps)
      .numbers({4}, {1, 1, 2, 2})
      .with("coordinate_transformation_mode", std::string("tf_crop_and_resize"))
      .says("'tf_crop_and_resize' needs a region (roi)");
  One("Resize", 13)
      .input(maps)
      .numbers({8}, {0, 0, 0, 0, 1, 1, 1, INFINITY})
      .numbers({4}, {1, 1, 2, 2})
      .with("coordinate_transformation_mode", std::string("tf_crop_and_resize"))
      .says("the region (roi) holds inf, but must be within -1000000 and 1000000");
  auto policy = [](const Ints &dims, const std::string &word) {
    One one("Resize", 18);
    one.input(dims).none().none().known({1, 1, 2, 2}).with("keep_aspect_ratio_policy", word);
    return one;
  };
  policy(maps, "squeeze")
      .says("'keep_aspect_ratio_policy' is 'squeeze', but must be stretch, not_larger or");
  policy({1, 1, 0, 2}, "not_larger").says("f32[1, 1, 0, 2] has no elements to resize");
  One("Upsample", 8).input(maps).says("it has no 'scales'");
  One("Gelu", 20)
      .input({4})
      .with("approximate", std::string("sin"))
      .says("'approximate' is 'sin', but must be none or tanh");
}

TEST(OnnxMessages, Pads) {
  One("Pad", 9).input({1, 4}).says("it has no 'pads'");
  One("Pad", 18).input({1, 4}).known({1}).none().known({1}).says(
      "'pads' must have two numbers for each axis");
  One("Pad", 13).input({1, 4}).known({1}).says("1 pads do not fit 2 dimensions");
  One("Pad", 13)
      .input({1, 4})
      .known({0, 0, 0, 1})
      .with("mode", std::string("mirror"))
      .says("the mode 'mirror' is not supported, only constant, reflect, edge");
  One("Pad", 13).input({1, 4}).known({0, 0, 0, 1}).weight({2}).says("the value must be one number");
  One("Pad", 13)
      .input({1, 4})
      .known({0, 0, 0, INT64_MAX})
      .says("the pad 9223372036854775807 is not between -1099511627776 and 1099511627776");
  One("Pad", 13)
      .input({1, 4})
      .known({0, 0, 0, -6})
      .says("it cuts 0 and 6 elements off dimension 1 of f32[1, 4], which leaves none");
}

TEST(OnnxMessages, ShapesAndParts) {
  One("Reshape", 4).input({1, 4}).says("it has no 'shape'");
  One("Reshape").input({-1, 4}).known({8, 2}).says("while its batch is symbolic: fix it with");
  One("Squeeze").input({1, 4}).known({1}).says("dimension 1 of f32[1, 4] is not 1");
  One("Unsqueeze", 11).input({1, 4}).says("it has no 'axes'");
  One("Unsqueeze").input({-1, 4}).known({0}).says("the symbolic batch would not stay the first");
  One("Transpose")
      .input({1, 4})
      .with("perm", Ints{0, 0})
      .says("'perm' [0, 0] is no permutation of the");
  One("DepthToSpace").input({1, 4, 2, 2}).says("'blocksize' must be at least 1");
  One("DepthToSpace")
      .input({1, 4, 2, 2})
      .with("blocksize", 2)
      .with("mode", std::string("RCD"))
      .says("the mode 'RCD' is neither DCR nor CRD");
  One("Dropout").input({-1, 4}).output().says("its mask is not supported while the batch is");
  One("Dropout").input({1, 4}).none().known({1}).says(
      "only inference is supported: training_mode must be false");
  One("Slice", 9).input({1, 4}).with("starts", Ints{0}).says("it needs 'starts' and 'ends'");
  One("Slice").input({1, 4}).known({0}).says("its input 3 is missing");
  One("Slice").input({1, 4}).known({0, 0}).known({1}).says(
      "starts, ends, axes and steps must have");
  One("Slice").input({1, 4}).known({0}).known({1}).known({1}).known({0}).says("a step is 0");
  One("Split", 11)
      .input({1, 5})
      .with("axis", 1)
      .output()
      .says("a dimension of 5 cannot be split into");
  One("Split", 11)
      .input({-1, 5})
      .output()
      .says("a dimension of symbolic size cannot be split into");
  One("Split").input({1, 5}).known({1, 1}).with("axis", 1).output().says(
      "do not make up a dimension of 5");
  One("Concat").input({1, 5}).says("it has no 'axis'");
}

/// Where the batch meets what has to be a number.
TEST(OnnxMessages, BatchAsANumber) {
  OnnxBuilder builder;
  builder.input("x", {-1, 4});
  builder.input("one", {1, 4});
  builder.node("Shape", {"x"}, {"shape"});
  builder.node("Slice", {"x", "shape", "shape"}, {"a"});
  builder.node("Expand", {"one", "shape"}, {"b"});
  builder.output("a");
  builder.output("b");
  std::string error = import_error(builder.bytes());
  EXPECT_NE(error.find("starts ('shape') depends on the size of the batch: fix it"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("it repeats a value for each image of a symbolic batch"), std::string::npos)
      << error;
}

TEST(OnnxMessages, Values) {
  OnnxBuilder builder;
  builder.integers("shape", {2});
  onnx::NodeProto &node = builder.node("ConstantOfShape", {"shape"}, {"c"});
  OnnxBuilder::fill(*attribute(node, "value", onnx::AttributeProto::TENSOR).mutable_t(), "v", {2},
                    {1, 2});
  onnx::TensorProto &condition = builder.integers("condition", {1});
  condition.set_data_type(onnx::TensorProto::BOOL);
  condition.clear_int64_data();
  condition.add_int32_data(1);
  builder.weight("float", {1}, {1});
  builder.node("Where", {"condition", "shape", "float"}, {"w"});
  builder.weight("parts", {1}, {1}).mutable_segment()->set_begin(0);
  builder.node("Relu", {"parts"}, {"r"});
  for (const char *name : {"c", "w", "r"})
    builder.output(name);
  std::string error = import_error(builder.bytes());
  for (const char *part :
       {"'value' must have one element", "bool[1], i64[1] and f32[1] do not fit each other",
        "a tensor in segments is not supported"})
    EXPECT_NE(error.find(part), std::string::npos) << error << part;
}

/// A value that holds the batch where a tensor is needed.
TEST(OnnxMessages, BatchAsATensor) {
  OnnxBuilder builder;
  builder.input("x", {-1, 4});
  builder.node("Shape", {"x"}, {"y"});
  builder.output("y", onnx::TensorProto::INT64);
  EXPECT_NE(import_error(builder.bytes())
                .find("'y' holds the size of the batch, which is not known: fix it with"),
            std::string::npos);
}

TEST(OnnxMessages, ShapesOfInputs) {
  OnnxBuilder builder;
  builder.input("a", {1, 4});
  builder.input("b", {1, 4});
  builder.node("Add", {"a", "b"}, {"y"});
  builder.output("y");
  auto error = [&](std::vector<std::string> shapes) {
    LoadOptions options;
    options.shapes = std::move(shapes);
    return import_error(builder.bytes(), options);
  };
  EXPECT_NE(error({"1x4"}).find("the model has 2 inputs: write --shape NAME=1x3x224x224 with"),
            std::string::npos);
  EXPECT_NE(error({"c=1x4"}).find("the model has no such input, only 'a', 'b'"), std::string::npos);
  EXPECT_NE(error({"a=4x"}).find("dimensions are numbers with x between them"), std::string::npos);
  EXPECT_NE(error({"a=1x4", "a=1x4"}).find("the input has two shapes"), std::string::npos);
  EXPECT_NE(error({"a=1x5"}).find("--shape says [1, 5], but in the file it is [1, 4]"),
            std::string::npos);
  builder.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_NE(error({}).find("the file does not say its shape: say it with --shape a="),
            std::string::npos);
}

TEST(OnnxMessages, Einsum) {
  auto says = [](const std::string &equation, const std::string &part) {
    One("Einsum").with("equation", equation).input({2, 3}).says(part);
  };
  says("ij,jk->ik", "the equation is for 2 operands, but there are 1");
  says("ii->i", "'i' names two dimensions of 'ii': diagonals are not supported");
  says("i+->i", "the equation holds '+'; only letters, '...', ',' and '->' may be in it");
  says("ijk->i", "'ijk' of the equation does not fit f32[2, 3]");
  says("ij->ik", "the equation's result has a dimension that no operand has");
  One("Einsum")
      .with("equation", std::string("ij,ij->i"))
      .input({2, 3})
      .input({2, 4})
      .says("a dimension of the equation has the sizes 3 and 4");
  One("Einsum")
      .with("equation", std::string("ij->j"))
      .input({-1, 3})
      .says("it sums over the symbolic batch: fix it with");
  One("Einsum")
      .with("equation", std::string("i->i"))
      .input({2}, int64)
      .says("its operands must be of type f32, but one is i64[2]");
}

TEST(OnnxMessages, SingleElements) {
  One("GatherElements")
      .input({-1, 3})
      .input({2, 3}, int64)
      .says("its indices count through the whole batch, which must be known: fix it with");
  One("GatherElements").input({2, 3}).input({2, 3}).says("the indices must be integers, but are");
  One("GatherElements")
      .input({1 << 13, 1 << 13})
      .input({1, 1}, int64)
      .says("f32[8192, 8192] has too many elements for indices at run time");
  One("GatherElements")
      .input({2, 3})
      .input({2, 4}, int64)
      .says("the indices i64[2, 4] do not fit f32[2, 3]");
  One("GatherElements").input({3}).known({3}).says("the index 3 is outside of a dimension of 3");
  One("GatherElements")
      .input({4, 1})
      .input({1 << 12, 1 << 12}, int64)
      .says("the indices i64[4096, 4096] do not fit");
  One("GatherElements")
      .input({4})
      .input({1 << 23}, int64)
      .says("has a negative dimension, or more than the 4194304 elements allowed");
  One("GatherND").input({2, 3}).known({0, 0, 0}).says("the indices i64[3] do not fit f32[2, 3]");
  One("GatherND")
      .input({2, 3})
      .input({2, 1}, int64)
      .with("batch_dims", 1)
      .says("'batch_dims' is not supported; GatherElements is");
  One("ScatterND")
      .input({3})
      .input({1, 1}, int64)
      .input({1})
      .says("the indices ('in1') must be known when the model is compiled");
  One("ScatterND").input({3}).known({1}).input({2}).says("the updates f32[2] must be f32[]");
  One("ScatterElements", 18)
      .input({3})
      .known({1})
      .input({1})
      .with("reduction", std::string("add"))
      .says("the reduction 'add' is not supported, only none");
}

TEST(OnnxMessages, PlacesOfComputedElements) {
  One("NonZero").input({2}).says("how many elements it gives depends on the model's inputs: end");
}

TEST(OnnxMessages, Remainders) {
  One("Mod").input({2}).input({2}).says("the remainder of floats needs fmod = 1");
}

TEST(OnnxMessages, RunningSums) {
  One("CumSum").input({2, 3}).known({0, 1}).says("the axis must be one number");
  One("CumSum").input({-1, 3}).known({0}).says("it sums over the symbolic batch: fix it with");
}

TEST(OnnxMessages, Masks) {
  One("Trilu").input({2, 2}).known({1, 2}).says("the diagonal k must be one number");
  One("Trilu").input({2}).says("its input is f32[2], but must be matrices of known size");
  One("Trilu").input({-1, 2}).says("but must be matrices of known size");
  One("EyeLike").input({-1, 2}).says("its size depends on the size of the batch: fix it with");
  One("EyeLike").input({2}).says("must have 2 dimensions, a matrix");
  One("EyeLike").input({2, 2}).with("dtype", 14).says("the type COMPLEX64 is not supported");
  auto one_hot = [](const Ints &depth, const Ints &values) {
    One one("OneHot");
    one.input({3}, int64).known(depth).known(values);
    return one;
  };
  one_hot({0}, {0, 1}).says("the depth must be one number in 1..");
  one_hot({2, 2}, {0, 1}).says("the depth must be one number in 1..");
  one_hot({2}, {1}).says("its values are i64[1], but must be two: off and on");
  one_hot({2}, {0, 1}).with("axis", 2).says("the axis 2 is not one of the 2 dimensions");
}

TEST(OnnxMessages, Branches) {
  auto boolean = onnx::TensorProto::BOOL;
  One("If").input({}, boolean).says("which way it goes must be known when the model is compiled");
  One("If").known({1, 1}).says("its condition must be one truth value");
  One("If").known({1}).says("its 'then_branch' must be a graph without inputs, and with as many");
}

TEST(OnnxMessages, TheBatchThatMoves) {
  One("Transpose").input({-1, 2}).says("it moves the symbolic batch: fix it with --shape");
  One("Gather").input({-1, 2}).known({0}).says("it chooses images of the symbolic batch: fix it");
}

} // namespace
} // namespace cnnc
