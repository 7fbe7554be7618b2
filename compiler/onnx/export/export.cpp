#include "compiler/onnx/export/export.h"

#include "compiler/onnx/export/ops.h"
#include "compiler/onnx/export/scales.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

constexpr int64_t onnx_ir_version = 8; // that of onnx_opset

/// What is smaller stays in the model; the rest starts at a page of its own, to be mapped.
constexpr uint64_t smallest_beside = 1024, page = 4096;

/// The start of a length-delimited field of a message.
std::string field_start(int number, uint64_t length) {
  constexpr uint64_t length_delimited = 2;
  std::string result;
  auto put = [&](uint64_t varint) {
    for (; varint >= 128; varint >>= 7)
      result += static_cast<char>(varint % 128 + 128);
    result += static_cast<char>(varint);
  };
  put(static_cast<uint64_t>(number) * 8 + length_delimited);
  put(length);
  return result;
}

uint64_t field_size(int number, uint64_t length) {
  return field_start(number, length).size() + length;
}

bool has_onnx_type(const Value &value, const SourceRange &range, Diagnostics &diagnostics) {
  if (!value.type->layout.plain())
    diagnostics.error(range, fmt::format("ONNX has no memory layouts, but %{} is {}: export the "
                                         "text as it was before assign_layouts",
                                         format_name(value.name), to_string(*value.type)));
  return value.type->layout.plain();
}

/// A resize has sizes or scales in ONNX, and sizes follow from scales.
bool has_onnx_resize(const Graph &graph, const Node &node, Diagnostics &diagnostics) {
  const auto *resize = std::get_if<Resize2d>(&node.op);
  if (resize && resize->antialias) {
    diagnostics.error(node.range, "opset 17 has no antialiased resize");
    return false;
  }
  if (!resize || resize->scales.empty())
    return true;
  if (resize->coordinates == ResizeCoordinates::half_pixel_symmetric) {
    diagnostics.error(node.range, "opset 17 has no coordinates half_pixel_symmetric with scales "
                                  "of their own");
    return false;
  }
  for (size_t i = 0; i < 2; ++i) {
    const int64_t from = graph.type(node.operands[0]).shape[2 + i];
    if (const int64_t size = scaled_size(resize->scales[i], from); size != resize->sizes[i]) {
      diagnostics.error(node.range,
                        fmt::format("ONNX makes {} of {} by the scale {}, not {}, and has no sizes "
                                    "beside scales",
                                    size, from, resize->scales[i], resize->sizes[i]));
      return false;
    }
  }
  return true;
}

/// ConvInteger and MatMulInteger take bytes.
bool has_onnx_products(const Graph &graph, const Node &node, Diagnostics &diagnostics) {
  if (!is_one_of<Conv2d, Dense>(node.op) || graph.type(node.operands[0]).dtype != DType::i32)
    return true;
  diagnostics.error(node.range, "ONNX has no sums of products of i32: cast the operands to f32");
  return false;
}

/// Reports everything in the graph that ONNX cannot say.
bool is_exportable(const Graph &graph, Diagnostics &diagnostics) {
  bool ok = true;
  for (ValueId id : graph.inputs)
    ok &= has_onnx_type(graph.value(id), graph.value(id).range, diagnostics);
  for (const Node &node : graph.nodes) {
    if (std::holds_alternative<Call>(node.op)) {
      diagnostics.error(node.range, "ONNX has no calls of kernels: export the text as it was "
                                    "before lower_loops");
      ok = false;
      continue;
    }
    const auto *norm = std::get_if<BatchNorm>(&node.op);
    if (norm && norm->statistics == Statistics::batch) {
      diagnostics.error(node.range, "ONNX has no running variances without bias: batch_norm with "
                                    "statistics=batch is for training, export the model that is "
                                    "trained");
      ok = false;
      continue;
    }
    const auto *indices = std::get_if<MaxPool2dIndices>(&node.op);
    if (indices && indices->positions == PoolPositions::window) {
      diagnostics.error(node.range,
                        "ONNX counts maxima in the whole input: max_pool2d_indices with "
                        "positions=window cannot be exported");
      ok = false;
      continue;
    }
    if (category_of(node.op) == Category::training || category_of(node.op) == Category::loss) {
      diagnostics.error(node.range, fmt::format("ONNX has no op for {}: it is for training, export "
                                                "the model that is trained",
                                                info_of(node.op).name));
      ok = false;
      continue;
    }
    ok &= has_onnx_resize(graph, node, diagnostics);
    ok &= has_onnx_products(graph, node, diagnostics);
    for (ValueId id : node.results)
      ok &= has_onnx_type(graph.value(id), node.range, diagnostics);
  }
  return ok;
}

void add_value_info(onnx::ValueInfoProto &info, const std::string &name, const TensorType &type) {
  info.set_name(name);
  onnx::TypeProto::Tensor &tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(info_of(type.dtype).onnx);
  onnx::TensorShapeProto &shape = *tensor.mutable_shape(); // present even for a scalar
  for (int64_t dim : type.shape)
    if (dim == symbolic_dim)
      shape.add_dim()->set_dim_param(type.batch_name);
    else
      shape.add_dim()->set_dim_value(dim);
}

/// An output that no node computes, or that is returned twice, gets a node and a name of its own.
void add_outputs(const Graph &graph, NodeBuilder &builder, onnx::GraphProto &result) {
  std::set<std::string> returned;
  for (ValueId id : graph.outputs) {
    const Value &value = graph.value(id);
    std::string name = value.name;
    bool computed = value.producer != no_id &&
                    category_of(graph.nodes[value.producer].op) != Category::constant;
    if (!computed || !returned.insert(name).second) {
      name = builder.fresh_name(name + ".out");
      builder.add("Identity", {value.name}, {name});
    }
    add_value_info(*result.add_output(), name, *value.type);
  }
}

std::string model_head() {
  onnx::ModelProto model;
  model.set_ir_version(onnx_ir_version);
  model.set_producer_name("cnnc");
  model.set_producer_version(CNNC_VERSION);
  model.add_opset_import()->set_version(onnx_opset);
  return model.SerializeAsString();
}

} // namespace

std::optional<OnnxExport> OnnxExport::create(const Graph &graph, const Constants &constants,
                                             Diagnostics &diagnostics) {
  OnnxExport result(graph, constants);
  if (!is_exportable(graph, diagnostics) || !result.add_constants(diagnostics))
    return std::nullopt;
  onnx::GraphProto onnx_graph;
  onnx_graph.set_name(graph.name);
  NodeBuilder builder(graph, onnx_graph);
  for (ValueId id : graph.inputs)
    add_value_info(*onnx_graph.add_input(), graph.value(id).name, graph.type(id));
  for (const Node &node : graph.nodes) {
    if (category_of(node.op) == Category::constant)
      continue;
    if (!add_onnx_nodes(builder, graph, node)) {
      diagnostics.error(node.range, fmt::format("internal error: {} has no nodes in ONNX",
                                                info_of(node.op).name));
      return std::nullopt;
    }
    for (ValueId id : node.results)
      if (!graph.is_output(id))
        add_value_info(*onnx_graph.add_value_info(), graph.value(id).name, graph.type(id));
  }
  add_outputs(graph, builder, onnx_graph);
  result.graph_bytes_ = onnx_graph.SerializeAsString();
  result.model_bytes_ = model_head();
  return result;
}

bool OnnxExport::add_constants(Diagnostics &diagnostics) {
  std::optional<int64_t> end = 0;
  for (const Node &node : graph_->nodes) {
    if (category_of(node.op) != Category::constant)
      continue;
    int64_t bytes = byte_size(graph_->type(node.results[0])).value_or(INT64_MAX);
    Stored stored{node.results[0], static_cast<uint64_t>(bytes), std::nullopt};
    if (stored.bytes >= smallest_beside) {
      std::optional<int64_t> start = checked_add(*end, page - 1);
      end = start ? checked_add(*start / page * page, bytes) : std::nullopt;
      if (!end) {
        diagnostics.error(node.range, "the constants have too many elements to be written");
        return false;
      }
      stored.offset = static_cast<uint64_t>(*end - bytes);
    }
    stored_.push_back(stored);
  }
  return true;
}

/// A TensorProto without elements, or with where to find them beside the model.
std::string OnnxExport::tensor_head(const Stored &stored, const std::string *location) const {
  onnx::TensorProto tensor;
  describe_tensor(tensor, graph_->value(stored.value).name, graph_->type(stored.value));
  auto say = [&](const std::string &key, const std::string &value) {
    onnx::StringStringEntryProto &entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  if (location && stored.offset) {
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    say("location", *location);
    say("offset", std::to_string(*stored.offset));
    say("length", std::to_string(stored.bytes));
  }
  return tensor.SerializeAsString();
}

/// An initializer of the file.
struct OnnxExport::Initializer {
  std::string head;
  bool inside; // its elements follow the head
  uint64_t size;
};

std::vector<OnnxExport::Initializer> OnnxExport::initializers(const std::string *location) const {
  std::vector<Initializer> result;
  for (const Stored &stored : stored_) {
    Initializer &initializer = result.emplace_back();
    initializer.head = tensor_head(stored, location);
    initializer.inside = !location || !stored.offset;
    initializer.size = initializer.head.size();
    if (initializer.inside)
      initializer.size += field_size(onnx::TensorProto::kRawDataFieldNumber, stored.bytes);
  }
  return result;
}

uint64_t OnnxExport::graph_size(const std::vector<Initializer> &initializers) const {
  uint64_t size = graph_bytes_.size();
  for (const Initializer &initializer : initializers)
    size += field_size(onnx::GraphProto::kInitializerFieldNumber, initializer.size);
  return size;
}

uint64_t OnnxExport::size_inside() const {
  uint64_t graph = graph_size(initializers(nullptr));
  return model_bytes_.size() + field_size(onnx::ModelProto::kGraphFieldNumber, graph);
}

bool OnnxExport::write_model(const std::string *location, const FileSink &sink,
                             Diagnostics &diagnostics) const {
  std::vector<Initializer> all = initializers(location);
  if (!sink(model_bytes_) ||
      !sink(field_start(onnx::ModelProto::kGraphFieldNumber, graph_size(all))) ||
      !sink(graph_bytes_))
    return false;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!sink(field_start(onnx::GraphProto::kInitializerFieldNumber, all[i].size)) ||
        !sink(all[i].head))
      return false;
    if (all[i].inside &&
        (!sink(field_start(onnx::TensorProto::kRawDataFieldNumber, stored_[i].bytes)) ||
         !write_value(stored_[i], sink, diagnostics)))
      return false;
  }
  return true;
}

bool OnnxExport::write_value(const Stored &stored, const FileSink &sink,
                             Diagnostics &diagnostics) const {
  std::optional<Tensor> tensor = constants_->value(*graph_, stored.value, diagnostics);
  if (!tensor)
    return false;
  std::span<const std::byte> bytes = tensor->bytes();
  return sink({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

bool OnnxExport::write_inside(const FileSink &sink, Diagnostics &diagnostics) const {
  return write_model(nullptr, sink, diagnostics);
}

bool OnnxExport::write_with_location(const std::string &location, const FileSink &sink,
                                     Diagnostics &diagnostics) const {
  return write_model(&location, sink, diagnostics);
}

bool OnnxExport::write_elements(const FileSink &sink, Diagnostics &diagnostics) const {
  uint64_t position = 0;
  for (const Stored &stored : stored_) {
    if (!stored.offset)
      continue;
    if (!sink(std::string(*stored.offset - position, '\0')) ||
        !write_value(stored, sink, diagnostics))
      return false;
    position = *stored.offset + stored.bytes;
  }
  return true;
}

} // namespace cnnc
