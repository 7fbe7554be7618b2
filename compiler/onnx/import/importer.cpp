#include "compiler/onnx/import/importer.h"

#include "compiler/onnx/import/input_shapes.h"
#include "compiler/onnx/import/node.h"
#include "compiler/onnx/import/node_order.h"
#include "compiler/onnx/import/ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

constexpr int64_t oldest_opset = 1, newest_opset = 24;

/// The version of the standard ops that the model uses; empty when it states none.
std::optional<int64_t> opset_of(const onnx::ModelProto &model) {
  for (const onnx::OperatorSetIdProto &set : model.opset_import())
    if (is_standard_domain(set.domain()))
      return set.version();
  // Files of IR version 1 and 2 have no list.
  return model.ir_version() < 3 ? std::optional<int64_t>(1) : std::nullopt;
}

} // namespace

bool is_standard_domain(const std::string &domain) { return domain.empty() || domain == "ai.onnx"; }

Importer::Importer(TensorReader reader, std::string file, const ImportOptions &options,
                   Diagnostics &diagnostics)
    : reader_(std::move(reader)), file_(std::move(file)), options_(options),
      diagnostics_(diagnostics) {
  graph_.name = std::filesystem::path(file_).stem().string();
  if (file_.empty() || file_.front() == '<' || file_ == "-")
    graph_.name = reader_.messages().model->graph().name();
  graph_.name = printable(graph_.name);
  if (graph_.name.empty())
    graph_.name = "model";
}

void Importer::remark(const std::string &text) {
  if (options_.remark && told_.insert(text).second)
    options_.remark(fmt::format("{}: remark: {}", file_, text));
}

SourceRange Importer::part(std::string text) const {
  return {std::make_shared<const Source>(Source{file_, "", std::move(text), false}), 0, 0};
}

bool Importer::run() {
  const onnx::GraphProto &graph = reader_.messages().model->graph();
  size_t errors = diagnostics_.error_count();
  if (!read_model() || !read_names(graph) || !read_inputs(graph))
    return false;
  import_nodes(graph);
  read_outputs(graph);
  if (diagnostics_.error_count() != errors)
    return false;
  assert(graph_.outputs.size() == static_cast<size_t>(graph.output_size()) &&
         "every output that failed has been reported");
  graph_.erase_dead_nodes(); // made on the way: constants that turned out to be known
  return true;
}

bool Importer::read_model() {
  const onnx::ModelProto &model = *reader_.messages().model;
  auto fail = [&](std::string message) {
    diagnostics_.error(part(""), std::move(message));
    return false;
  };
  if (!model.has_graph())
    return fail("there is no graph in this file: it is no ONNX model");
  std::optional<int64_t> opset = opset_of(model);
  if (!opset)
    return fail("the file does not say which version of the ONNX ops (opset) it uses");
  if (*opset < oldest_opset)
    return fail(fmt::format("opset {} does not exist", *opset));
  if (*opset > newest_opset)
    remark(fmt::format("opset {} is newer than {}, the newest that is known here", *opset,
                       newest_opset));
  opset_ = *opset;
  if (model.graph().output().empty())
    return fail("the graph has no outputs");
  return true;
}

/// Initializers may be listed as inputs, too: they are constants.
bool Importer::read_names(const onnx::GraphProto &graph) {
  bool ok = true;
  for (const onnx::TensorProto &tensor : graph.initializer()) {
    if (!initializers_.emplace(tensor.name(), &tensor).second) {
      diagnostics_.error(part(""),
                         fmt::format("two initializers are named '{}'", printable(tensor.name())));
      ok = false;
    }
    names_.reserve(tensor.name());
  }
  for (const onnx::ValueInfoProto &input : graph.input())
    names_.reserve(input.name());
  for (const onnx::NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      names_.reserve(output);
  for (const onnx::ValueInfoProto &output : graph.output())
    read_.insert(output.name());
  return ok;
}

bool Importer::read_inputs(const onnx::GraphProto &graph) {
  std::vector<const onnx::ValueInfoProto *> inputs;
  for (const onnx::ValueInfoProto &input : graph.input())
    if (!initializers_.contains(input.name()))
      inputs.push_back(&input);
  InputShapes shapes(inputs, options_, *this);
  bool ok = shapes.read_options();
  for (const onnx::ValueInfoProto *input : inputs) {
    std::optional<TensorType> type = shapes.type_of(*input);
    ok = ok && type;
    if (!type)
      continue;
    if (values_.contains(input->name())) {
      diagnostics_.error(part(""),
                         fmt::format("two inputs are named '{}'", printable(input->name())));
      ok = false;
      continue;
    }
    ValueId id = graph_.add_value(names_.of(input->name()), *type);
    graph_.inputs.push_back(id);
    define(input->name(), {.type = *type, .id = id});
  }
  return ok;
}

OnnxValue *Importer::find(const std::string &name) {
  if (auto known = values_.find(name); known != values_.end())
    return known->second.get();
  auto initializer = initializers_.find(name);
  if (initializer == initializers_.end())
    return nullptr;
  define(name, constant(*initializer->second, part("")));
  return values_.at(name).get();
}

void Importer::define(const std::string &name, OnnxValue value) {
  if (value.name.empty())
    value.name = name;
  values_.insert_or_assign(name, std::make_shared<OnnxValue>(std::move(value)));
}

void Importer::define_alias(const std::string &name, const std::string &of) {
  values_.insert_or_assign(name, values_.at(of));
}

/// An import knows nothing of outputs that its op does not have.
bool Importer::has_computed_outputs(OnnxNode &node, const onnx::NodeProto &proto) {
  for (size_t i = 0; i < node.output_count(); ++i)
    if (const std::string &name = proto.output(static_cast<int>(i));
        node.wants(i) && !values_.contains(name))
      return node.fail(fmt::format("its output {} ('{}') is read, but {} has no such output in "
                                   "opset {}",
                                   i + 1, printable(name), printable(node.op()), opset_));
  return true;
}

bool Importer::import_nodes(const onnx::GraphProto &graph) {
  std::optional<std::vector<const onnx::NodeProto *>> order = nodes_in_order(
      graph, [&](const std::string &name) { return find(name) != nullptr; }, *this);
  if (!order)
    return false;
  for (const onnx::NodeProto *node : *order)
    for (std::string &name : names_read(*node))
      read_.insert(std::move(name));
  StatedShapes stated(graph, *this);
  const bool whole = &graph == &model().graph(); // not that of a branch
  size_t done = 0;
  for (const onnx::NodeProto *proto : *order) {
    if (whole && options_.progress)
      options_.progress(done++, order->size());
    OnnxNode node(*this, *proto);
    if (!import_node(node) || !has_computed_outputs(node, *proto)) {
      node.fail_outputs();
      continue;
    }
    for (const std::string &output : proto->output())
      if (auto value = values_.find(output); value != values_.end())
        stated.check(*proto, output, value->second->type);
  }
  stated.remark();
  return true;
}

bool Importer::import_branch(const onnx::GraphProto &graph) {
  return read_names(graph) && import_nodes(graph);
}

void Importer::read_outputs(const onnx::GraphProto &graph) {
  for (const onnx::ValueInfoProto &output : graph.output()) {
    OnnxValue *value = find(output.name());
    if (!value) // reported by nodes_in_order
      continue;
    if (value->failed)
      continue;
    SourceRange range = part(fmt::format("output '{}'", printable(output.name())));
    ValueId id = tensor(*value, range);
    if (id == no_id)
      continue;
    // A value that a node has under another name (Identity) is called like the output. One that is
    // an input or another output already is a value of its own, under this name.
    if (graph_.is_input(id) || graph_.is_output(id))
      id = add_copy(id, output.name(), range);
    if (id == no_id)
      continue;
    graph_.rename(id, names_.of(output.name()));
    graph_.outputs.push_back(id);
    graph_.output_ranges.push_back(range);
    check_output(output, graph_.type(id), *this);
  }
}

ValueId Importer::add_copy(ValueId id, const std::string &base, const SourceRange &range) {
  std::vector<int64_t> shape = graph_.type(id).shape;
  std::ranges::replace(shape, symbolic_dim, int64_t(0)); // which keeps it
  std::vector<ValueId> copies = add({"reshape", {id}, {{"shape", shape}}}, base, range);
  return copies.empty() ? no_id : copies.front();
}

std::shared_ptr<const NamedTensors> Importer::take_tensors(const Graph &graph) {
  std::vector<SafetensorsTensor> used;
  for (const Node &node : graph.nodes)
    if (const Weight *weight = std::get_if<Weight>(&node.op))
      used.push_back(std::move(weights_.at(weight->key)));
  std::ranges::sort(used, {}, &SafetensorsTensor::name);
  struct Owner {
    TensorReader reader;
    std::deque<std::vector<std::byte>> made;
  };
  std::vector<std::filesystem::path> files = reader_.files();
  auto owner = std::make_shared<Owner>(Owner{std::move(reader_), std::move(made_)});
  auto tensors = std::make_shared<NamedTensors>();
  *tensors = {file_, std::move(used), std::move(owner), std::move(files)};
  return tensors;
}

std::vector<ValueId> Importer::add(const NewNode &node, const std::string &base,
                                   const SourceRange &range,
                                   const std::vector<SourceRange> &operand_ranges) {
  const OpInfo *info = find_op(node.op);
  assert(info && "imports spell ops as the text does");
  Node made;
  made.op = info->make();
  for (const auto &[name, value] : node.attributes) {
    auto attribute = std::find_if(info->attributes.begin(), info->attributes.end(),
                                  [&](const AttributeInfo &row) { return row.name == name; });
    [[maybe_unused]] bool set =
        attribute != info->attributes.end() && attribute->set(made.op, value);
    assert(set && "the op has such an attribute");
  }
  made.operands = node.operands;
  made.range = range;
  made.operand_ranges = operand_ranges;
  InferContext context = infer_context(graph_, made, diagnostics_);
  InferredTypes types = infer(made.op, context);
  if (!types)
    return {};
  for (const TensorType &type : *types) {
    ValueId id = graph_.add_value(names_.fresh(base), type);
    graph_.value(id).range = range;
    made.results.push_back(id);
  }
  return graph_.nodes[graph_.append(std::move(made))].results;
}

} // namespace cnnc
