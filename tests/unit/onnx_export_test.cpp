// Exports of models: every one of the tests and examples against ONNX's own checker and shape
// inference, the nodes of ops that ONNX spells otherwise, and where weights are.
#include "compiler/onnx/export/export.h"
#include "compiler/onnx/export/scales.h"
#include "onnx_files.h"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>
#include <sstream>

namespace cnnc {
namespace {

/// Appends to `bytes`.
FileSink into(std::string &bytes) {
  return [&bytes](std::string_view more) {
    bytes += more;
    return true;
  };
}

struct Exported {
  std::string bytes; // weights inside
  onnx::ModelProto model;
  const onnx::GraphProto &graph() const { return model.graph(); }
};

Exported exported(const Graph &graph) {
  Exported result;
  Diagnostics diagnostics;
  std::optional<Constants> constants = Constants::open(graph, {}, diagnostics);
  std::optional<OnnxExport> onnx =
      constants ? OnnxExport::create(graph, *constants, diagnostics) : std::nullopt;
  if (!onnx || !onnx->write_inside(into(result.bytes), diagnostics)) {
    ADD_FAILURE() << diagnostics.to_string();
    return result;
  }
  EXPECT_EQ(onnx->size_inside(), result.bytes.size());
  EXPECT_TRUE(result.model.ParseFromString(result.bytes));
  return result;
}

Exported exported(const std::string &text) {
  std::optional<Graph> graph = model_of(text);
  return graph ? exported(*graph) : Exported();
}

std::string shape_text(const onnx::ValueInfoProto &info) {
  const onnx::TypeProto::Tensor &tensor = info.type().tensor_type();
  std::string result = fmt::format("{} of type {} [", info.name(), tensor.elem_type());
  for (const onnx::TensorShapeProto::Dimension &dim : tensor.shape().dim())
    result += dim.has_dim_value() ? fmt::format(" {}", dim.dim_value()) : " " + dim.dim_param();
  return result + " ]";
}

/// The types of all values as the file states them.
std::vector<std::string> stated_types(const onnx::GraphProto &graph) {
  std::vector<std::string> result;
  for (const onnx::ValueInfoProto &info : graph.value_info())
    result.push_back(shape_text(info));
  for (const onnx::ValueInfoProto &info : graph.output())
    result.push_back(shape_text(info));
  return result;
}

/// What ONNX infers for the values that the file states types of, from inputs and constants alone.
std::vector<std::string> inferred_types(onnx::ModelProto model) {
  std::set<std::string> stated;
  for (const onnx::ValueInfoProto &info : model.graph().value_info())
    stated.insert(info.name());
  model.mutable_graph()->clear_value_info();
  for (onnx::ValueInfoProto &info : *model.mutable_graph()->mutable_output())
    info.mutable_type()->mutable_tensor_type()->clear_shape();
  onnx::ShapeInferenceOptions options{true, 1, true};
  onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), options);
  auto *infos = model.mutable_graph()->mutable_value_info();
  onnx::GraphProto known;
  for (const onnx::ValueInfoProto &info : *infos)
    if (stated.contains(info.name()))
      *known.add_value_info() = info;
  for (const onnx::ValueInfoProto &info : model.graph().output())
    *known.add_output() = info;
  return stated_types(known);
}

/// Shape inference knows nothing of what follows a MaxUnpool, whose shape is an input, and gives a
/// batch that is multiplied by a scale another name.
bool can_be_inferred(const onnx::ModelProto &model) {
  return std::none_of(model.graph().node().begin(), model.graph().node().end(),
                      [](const onnx::NodeProto &node) {
                        return node.op_type() == "MaxUnpool" ||
                               (node.op_type() == "Resize" && node.input_size() == 3);
                      });
}

void expect_valid(const onnx::ModelProto &model) {
  try {
    std::vector<std::string> stated = stated_types(model.graph());
    std::vector<std::string> inferred = inferred_types(model);
    if (!can_be_inferred(model))
      return;
    std::sort(stated.begin(), stated.end());
    std::sort(inferred.begin(), inferred.end());
    EXPECT_EQ(inferred, stated);
  } catch (const std::exception &error) {
    ADD_FAILURE() << error.what();
  }
}

TEST(OnnxExport, EveryOpIsValid) {
  size_t checked = 0;
  std::set<std::string> ops;
  for (const char *folder : {"tests/ops", "tests/onnx/Inputs"})
    for (const fs::path &file : model_files(folder))
      for (const std::string &text : models_of(file)) {
        SCOPED_TRACE(file.string());
        std::optional<Graph> graph = model_of(text);
        if (!graph || !exportable(*graph))
          continue;
        ++checked;
        for (const Node &node : graph->nodes)
          ops.insert(info_of(node.op).name);
        Exported onnx = exported(*graph);
        EXPECT_NO_THROW(onnx::checker::check_model(onnx.model));
        expect_valid(onnx.model);
      }
  EXPECT_GE(checked, 80u);
  const auto of_training = std::ranges::count_if(op_table(), [](const OpInfo &op) {
    const Category category = category_of(op.make());
    return category == Category::training || category == Category::loss;
  });
  EXPECT_GE(ops.size() + static_cast<size_t>(of_training),
            op_table().size() - 3); // call, relayout, weight
}

using OnnxFiles = InFolder;

/// Networks without the elements of their weights, of which nothing here depends.
TEST_F(OnnxFiles, EveryNetworkIsValid) {
  std::vector<fs::path> files = model_files("examples/nets");
  files.push_back(fs::path(CNNC_SOURCE_DIR) / "examples/lenet/lenet.ir");
  ASSERT_GE(files.size(), 8u);
  std::ofstream(folder_ / "none.data");
  for (const fs::path &file : files) {
    SCOPED_TRACE(file.string());
    std::optional<Graph> graph = model_of(models_of(file).front());
    ASSERT_TRUE(graph);
    fs::path weights = fs::path(file).replace_extension(".safetensors");
    std::optional<Constants> constants =
        Constants::open(*graph, {nullptr, {weights}}, diagnostics_);
    ASSERT_TRUE(constants) << diagnostics_.to_string();
    std::optional<OnnxExport> onnx = OnnxExport::create(*graph, *constants, diagnostics_);
    std::string bytes;
    ASSERT_TRUE(onnx && onnx->write_with_location("none.data", into(bytes), diagnostics_));
    std::ofstream(folder_ / "model.onnx", std::ios::binary) << bytes;
    EXPECT_NO_THROW(onnx::checker::check_model((folder_ / "model.onnx").string()));
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(bytes));
    expect_valid(model);
  }
}

TEST(OnnxExport, Head) {
  Exported onnx = exported("model @net(%x: f32[batch, 4]) { %y = relu %x return %y }");
  EXPECT_EQ(onnx.model.ir_version(), 8);
  EXPECT_EQ(onnx.model.producer_name(), "cnnc");
  ASSERT_EQ(onnx.model.opset_import_size(), 1);
  EXPECT_EQ(onnx.model.opset_import(0).version(), 17);
  EXPECT_EQ(onnx.graph().name(), "net");
  ASSERT_EQ(onnx.graph().input_size(), 1);
  EXPECT_EQ(shape_text(onnx.graph().input(0)), "x of type 1 [ batch 4 ]");
  ASSERT_EQ(onnx.graph().output_size(), 1);
  EXPECT_EQ(shape_text(onnx.graph().output(0)), "y of type 1 [ batch 4 ]");
}

/// Nodes as `Op(inputs) -> outputs`, without small constants.
std::string nodes_of(const Exported &onnx) {
  std::string result;
  for (const onnx::NodeProto &node : onnx.graph().node()) {
    std::ostringstream line;
    line << node.op_type() << "(" << node.input(0) << ") -> " << node.output(0) << "\n";
    result += line.str();
  }
  return result;
}

const onnx::AttributeProto *attribute(const onnx::NodeProto &node, const std::string &name) {
  for (const onnx::AttributeProto &candidate : node.attribute())
    if (candidate.name() == name)
      return &candidate;
  return nullptr;
}

std::vector<int64_t> integers(const onnx::NodeProto &node, const std::string &name) {
  const onnx::AttributeProto *found = attribute(node, name);
  EXPECT_TRUE(found) << name;
  return found ? std::vector<int64_t>(found->ints().begin(), found->ints().end())
               : std::vector<int64_t>();
}

TEST(OnnxExport, OpsThatOnnxDoesNotHave) {
  EXPECT_EQ(nodes_of(exported("model @m(%x: f32[1, 4]) { %y = silu %x return %y }")),
            "Sigmoid(x) -> y.sigmoid\nMul(x) -> y\n");
  EXPECT_EQ(nodes_of(exported("model @m(%x: f32[1, 1, 2, 2]) {\n"
                              "%w = random(1, he) : f32[2, 2, 3, 1, 1, 1]\n"
                              "%y = local2d %x, %w return %y }")),
            "Pad(x) -> y.padded\nGather(y.padded) -> y.gathered\nGather(y.gathered) -> "
            "y.gathered.1\nTranspose(y.gathered.1) -> y.positions\nReshape(y.positions) -> "
            "y.windows\nReshape(w) -> y.filter\nMatMul(y.filter) -> y.products\n"
            "Reshape(y.products) -> y.pixels\nTranspose(y.pixels) -> y\n");
}

/// ONNX knows no output padding as large as the stride and the dilation.
TEST(OnnxExport, LargeOutputPadding) {
  auto nodes = [](const std::string &attributes) {
    return nodes_of(exported("model @m(%x: f32[1, 1, 2, 2]) {\n"
                             "%w = random(1, he) : f32[1, 1, 2, 2]\n"
                             "%y = conv_transpose2d %x, %w " +
                             attributes + " return %y }"));
  };
  EXPECT_EQ(nodes("stride=[2, 2] output_padding=[1, 1]"), "ConvTranspose(x) -> y\n");
  EXPECT_EQ(nodes("dilation=[1, 3] output_padding=[0, 2]"), "ConvTranspose(x) -> y\n");
  EXPECT_EQ(nodes("stride=[2, 2] output_padding=[2, 1]"),
            "ConvTranspose(x) -> y.product\nPad(y.product) -> y\n");
}

TEST(OnnxExport, PaddingOfPools) {
  auto pool_of = [](const std::string &op) {
    return exported("model @m(%x: f32[1, 1, 6, 6]) { %y = " + op + " return %y }");
  };
  // As written where all agree on the meaning.
  Exported plain = pool_of("max_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1]");
  ASSERT_EQ(plain.graph().node_size(), 1);
  EXPECT_EQ(integers(plain.graph().node(0), "pads"), (std::vector<int64_t>{1, 1, 1, 1}));
  Exported up = pool_of("max_pool2d %x kernel=[3, 3] stride=[2, 2] ceil_mode=true");
  ASSERT_EQ(up.graph().node_size(), 1);
  EXPECT_EQ(integers(up.graph().node(0), "pads"), (std::vector<int64_t>{0, 0, 1, 1}));
  EXPECT_FALSE(attribute(up.graph().node(0), "ceil_mode"));
  // Counted padding and what rounding up adds are not the same.
  Exported counted = pool_of("avg_pool2d %x kernel=[2, 2] stride=[3, 3] pad=[1, 1, 0, 0] "
                             "ceil_mode=true count_padding=true");
  EXPECT_EQ(nodes_of(counted), "Pad(x) -> y.padded\nAveragePool(y.padded) -> y\n");
  Exported large = pool_of("max_pool2d %x kernel=[2, 2] pad=[2, 2, 2, 2] dilation=[3, 3]");
  EXPECT_EQ(nodes_of(large), "Pad(x) -> y.padded\nMaxPool(y.padded) -> y\n");
}

TEST(OnnxExport, QuantizedNumbers) {
  Exported onnx = exported("model @m(%x: f32[1, 4], %s: i32[1, 4]) {\n"
                           "%scales = literal [1, 2, 3, 4] : f32[4]\n"
                           "%points = literal [1, 2, 3, 4] : i32[4]\n"
                           "%q = quantize %x scale=0.5 zero_point=3 to=i8\n"
                           "%a = dequantize %q, %scales\n"
                           "%b = dequantize %s, %scales, %points\n"
                           "%c = dequantize %s scale=2 return %a, %b, %c }");
  EXPECT_EQ(nodes_of(onnx),
            "QuantizeLinear(x) -> q\nDequantizeLinear(q) -> a\nReshape(points) -> b.zero_points\n"
            "Sub(s) -> b.centred\nDequantizeLinear(b.centred) -> b\nDequantizeLinear(s) -> c\n");
  // A zero point says the type of 8 bits; INT32 has none.
  std::vector<int> inputs;
  for (const onnx::NodeProto &node : onnx.graph().node())
    inputs.push_back(node.input_size());
  EXPECT_EQ(inputs, (std::vector<int>{3, 3, 2, 2, 2, 2}));
  EXPECT_NO_THROW(onnx::checker::check_model(onnx.model));
}

/// ConvInteger would subtract a zero point from all numbers, not fill the padding alone with it.
TEST(OnnxExport, SumsOfIntegers) {
  auto nodes = [](const std::string &input, const std::string &op) {
    return nodes_of(exported("model @m(%x: " + input +
                             ") {\n"
                             "%w = splat 3 : i8[5, 2, 2, 2]\n"
                             "%m = splat 3 : i8[5, 2]\n"
                             "%b = splat 7 : i32[5]\n"
                             "%t = splat 9 : u8[256]\n%y = " +
                             op + " return %y }"));
  };
  EXPECT_EQ(nodes("u8[1, 2, 4, 4]", "conv2d %x, %w pad=[1, 1, 1, 1]"), "ConvInteger(x) -> y\n");
  EXPECT_EQ(nodes("i8[1, 2, 4, 4]", "conv2d %x, %w, %b zero_point=3"),
            "ConvInteger(x) -> y.sums\nReshape(b) -> y.bias\nAdd(y.sums) -> y\n");
  EXPECT_EQ(nodes("u8[1, 2, 4, 4]", "conv2d %x, %w pad=[1, 1, 1, 1] zero_point=3"),
            "Pad(x) -> y.padded\nConvInteger(y.padded) -> y\n");
  EXPECT_EQ(nodes("u8[1, 2]", "dense %x, %m"), "Transpose(m) -> y.weight\nMatMulInteger(x) -> y\n");
  EXPECT_EQ(nodes("u8[1, 2, 4, 4]", "max_pool2d %x kernel=[2, 2] pad=[2, 2, 2, 2] dilation=[3, 3]"),
            "Pad(x) -> y.padded\nMaxPool(y.padded) -> y\n");
  EXPECT_EQ(nodes("u8[1, 2, 4, 4]", "global_avg_pool2d %x"),
            "Cast(x) -> y.floats\nGlobalAveragePool(y.floats) -> y\n");
  EXPECT_EQ(nodes("u8[2, 3, 3]", "matmul %x, %x"), "MatMulInteger(x) -> y\n");
  EXPECT_EQ(nodes("i8[2, 3]", "lookup %x, %t"), "Cast(x) -> y.places\nGather(t) -> y\n");
  EXPECT_EQ(nodes("u8[1, 2, 4, 4]", "resize2d %x sizes=[8, 8]"), "Resize(x) -> y\n");
  EXPECT_EQ(nodes("u8[1, 2, 4, 4]", "resize2d %x sizes=[8, 8] mode=linear"),
            "Cast(x) -> y.floats\nResize(y.floats) -> y\n");
}

TEST(OnnxExport, OutputsThatNoNodeComputes) {
  Exported onnx = exported("model @m(%x: f32[2]) { %c = splat 1 : f32[2] %x.out = relu %x\n"
                           "return %x, %x.out, %c, %x.out }");
  EXPECT_EQ(nodes_of(onnx), "Relu(x) -> x.out\nIdentity(x) -> x.out.1\nIdentity(c) -> c.out\n"
                            "Identity(x.out) -> x.out.out\n");
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto &info : onnx.graph().output())
    names.push_back(info.name());
  EXPECT_EQ(names, (std::vector<std::string>{"x.out.1", "x.out", "c.out", "x.out.out"}));
  EXPECT_NO_THROW(onnx::checker::check_model(onnx.model));
}

TEST_F(OnnxFiles, WeightsInsideAndBeside) {
  std::optional<Graph> graph = model_of("model @m(%x: f32[1, 300]) {\n"
                                        "%small = literal [1, 2, 3] : f32[3]\n"
                                        "%a = random(1, he) : f32[3, 300]\n"
                                        "%b = random(2, uniform) : f32[500, 3]\n"
                                        "%h = dense %x, %a, %small\n"
                                        "%y = dense %h, %b return %y }");
  ASSERT_TRUE(graph);
  std::optional<Constants> constants = Constants::open(*graph, {}, diagnostics_);
  std::optional<OnnxExport> onnx = OnnxExport::create(*graph, *constants, diagnostics_);
  ASSERT_TRUE(onnx);
  std::string model_bytes, elements;
  ASSERT_TRUE(onnx->write_with_location("m.data", into(model_bytes), diagnostics_));
  ASSERT_TRUE(onnx->write_elements(into(elements), diagnostics_));
  onnx::ModelProto beside;
  ASSERT_TRUE(beside.ParseFromString(model_bytes));
  Exported inside = exported(*graph);
  EXPECT_EQ(elements.size(), 4096u + 500 * 3 * 4);
  ASSERT_EQ(beside.graph().initializer_size(), 3);
  for (int i = 0; i < 3; ++i) {
    const onnx::TensorProto &in = inside.graph().initializer(i),
                            &out = beside.graph().initializer(i);
    Tensor value = *constants->value(*graph, *graph->find_value(in.name()), diagnostics_);
    std::string expected(reinterpret_cast<const char *>(value.bytes().data()),
                         value.bytes().size());
    EXPECT_EQ(in.raw_data(), expected);
    EXPECT_EQ(out.name(), in.name());
    if (in.name() == "small") {
      EXPECT_EQ(out.raw_data(), expected);
      continue;
    }
    ASSERT_EQ(out.data_location(), onnx::TensorProto::EXTERNAL);
    EXPECT_FALSE(out.has_raw_data());
    ASSERT_EQ(out.external_data_size(), 3);
    EXPECT_EQ(out.external_data(0).value(), "m.data");
    size_t offset = std::stoul(out.external_data(1).value());
    EXPECT_EQ(offset % 4096, 0u);
    EXPECT_EQ(elements.substr(offset, std::stoul(out.external_data(2).value())), expected);
  }
}

/// 31 / 7 in single precision, times 7, is less than 31.
TEST(OnnxExport, ScalesMakeTheSizesThatTheyStandFor) {
  EXPECT_EQ(scaled_size(31.0 / 7, 7), 30);
  for (int64_t from = 1; from < 100; ++from)
    for (int64_t size = 1; size < 300; ++size) {
      ASSERT_EQ(scaled_size(scale_to(size, from), from), size) << from;
      ASSERT_NEAR(scale_to(size, from), double(size) / double(from), 2e-7 * double(size));
    }
}

TEST(OnnxExport, StopsWhenTheSinkFails) {
  std::optional<Graph> graph = model_of("model @m(%x: f32[1, 3]) {\n"
                                        "%w = random(1, he) : f32[500, 3]\n"
                                        "%y = dense %x, %w return %y }");
  ASSERT_TRUE(graph);
  Diagnostics diagnostics;
  std::optional<Constants> constants = Constants::open(*graph, {}, diagnostics);
  std::optional<OnnxExport> onnx = OnnxExport::create(*graph, *constants, diagnostics);
  ASSERT_TRUE(onnx);
  std::string whole;
  ASSERT_TRUE(onnx->write_inside(into(whole), diagnostics));
  for (size_t limit = 0; limit < whole.size(); limit += 1 + whole.size() / 20) {
    size_t taken = 0;
    auto full = [&](std::string_view more) { return (taken += more.size()) <= limit; };
    EXPECT_FALSE(onnx->write_inside(full, diagnostics));
  }
}

} // namespace
} // namespace cnnc
