// A call
//
//   y = my.domain.Scaled (x) <factor = 2>
//
// of the function
//
//   Scaled <factor> (a) => (b) { c = Constant <value_float = @factor> ()  b = Mul (a, c) }
//
// becomes
//
//   y.c = Constant <value_float = 2> ()
//   y = Mul (x, y.c)
#include "compiler/onnx/import/inline_functions.h"

#include "compiler/onnx/import/importer.h"
#include "compiler/onnx/import/node_order.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

constexpr size_t deepest_calls = 64;
constexpr size_t most_nodes = 1000000;

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
using Names = std::unordered_map<std::string, std::string>;
using AttributesOfCall = std::unordered_map<std::string, const onnx::AttributeProto *>;

int64_t standard_version(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> &sets) {
  for (const onnx::OperatorSetIdProto &set : sets)
    if (is_standard_domain(set.domain()))
      return set.version();
  return 0;
}

/// The body of a function for one call: names and attributes of the call in it.
class Body {
public:
  Body(const onnx::FunctionProto &function, const onnx::NodeProto &call) {
    for (int i = 0; i < function.input_size(); ++i)
      names_[function.input(i)] = i < call.input_size() ? call.input(i) : "";
    for (int i = 0; i < function.output_size() && i < call.output_size(); ++i)
      if (!call.output(i).empty())
        names_[function.output(i)] = call.output(i);
    for (const onnx::AttributeProto &attribute : call.attribute())
      attributes_[attribute.name()] = &attribute;
    for (const std::string &output : call.output())
      if (prefix_.empty())
        prefix_ = output;
  }

  onnx::NodeProto renamed(const onnx::NodeProto &node) const {
    onnx::NodeProto result = node;
    if (!node.name().empty())
      result.set_name(fmt::format("{}.{}", prefix_, node.name()));
    for (std::string &name : *result.mutable_input())
      name = renamed(name);
    for (std::string &name : *result.mutable_output())
      name = renamed(name);
    result.clear_attribute();
    for (const onnx::AttributeProto &attribute : node.attribute())
      add_attribute(result, attribute);
    return result;
  }

private:
  std::string renamed(const std::string &name) const {
    if (auto known = names_.find(name); known != names_.end())
      return known->second;
    return name.empty() ? name : fmt::format("{}.{}", prefix_, name);
  }

  /// One that refers to an attribute of the call is that, or is not there.
  void add_attribute(onnx::NodeProto &to, const onnx::AttributeProto &attribute) const {
    if (attribute.ref_attr_name().empty()) {
      *to.add_attribute() = attribute;
      if (attribute.has_g())
        rename_graph(*to.mutable_attribute(to.attribute_size() - 1)->mutable_g());
      return;
    }
    auto given = attributes_.find(attribute.ref_attr_name());
    if (given == attributes_.end())
      return;
    *to.add_attribute() = *given->second;
    to.mutable_attribute(to.attribute_size() - 1)->set_name(attribute.name());
  }

  void rename_graph(onnx::GraphProto &graph) const {
    for (onnx::NodeProto &node : *graph.mutable_node())
      node = renamed(node);
    for (onnx::TensorProto &tensor : *graph.mutable_initializer())
      tensor.set_name(renamed(tensor.name()));
    for (onnx::ValueInfoProto &output : *graph.mutable_output())
      output.set_name(renamed(output.name()));
    for (onnx::ValueInfoProto &input : *graph.mutable_input())
      input.set_name(renamed(input.name()));
  }

  Names names_;
  AttributesOfCall attributes_;
  std::string prefix_;
};

class Inliner {
public:
  Inliner(onnx::ModelProto &model, const std::string &file, Diagnostics &diagnostics)
      : model_(model), file_(file), diagnostics_(diagnostics) {}

  bool run() { return expand(*model_.mutable_graph(), 0); }

private:
  bool fail(const onnx::NodeProto &node, std::string message) {
    auto source = std::make_shared<const Source>(Source{file_, "", describe(node), false});
    diagnostics_.error({source, 0, 0}, std::move(message));
    return false;
  }

  const onnx::FunctionProto *called(const onnx::NodeProto &node) const {
    for (const onnx::FunctionProto &function : model_.functions())
      if (function.name() == node.op_type() && function.domain() == node.domain())
        return &function;
    return nullptr;
  }

  bool expand(onnx::GraphProto &graph, size_t depth) {
    Nodes nodes;
    for (onnx::NodeProto &node : *graph.mutable_node())
      if (!append(nodes, node, depth))
        return false;
    graph.mutable_node()->Swap(&nodes);
    return true;
  }

  /// The node, or what it calls.
  bool append(Nodes &nodes, onnx::NodeProto &node, size_t depth) {
    for (onnx::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g() && !expand(*attribute.mutable_g(), depth))
        return false;
    if (++count_ > most_nodes)
      return fail(node, fmt::format("with the functions that it calls the model has more than {} "
                                    "nodes",
                                    most_nodes));
    const onnx::FunctionProto *function = called(node);
    if (!function) {
      nodes.Add()->Swap(&node);
      return true;
    }
    if (depth == deepest_calls)
      return fail(node, fmt::format("functions call each other more than {} deep", deepest_calls));
    if (node.input_size() > function->input_size() || node.output_size() > function->output_size())
      return fail(node,
                  fmt::format("the function has {} inputs and {} outputs; this call has {} and "
                              "{}",
                              function->input_size(), function->output_size(), node.input_size(),
                              node.output_size()));
    const int64_t version = standard_version(function->opset_import());
    const int64_t own = standard_version(model_.opset_import());
    if (version != 0 && version != own)
      return fail(node, fmt::format("the function is written in opset {}, but the model in opset "
                                    "{}: convert it to one version",
                                    version, own));
    const Body body(*function, node);
    for (const onnx::NodeProto &part : function->node()) {
      onnx::NodeProto renamed = body.renamed(part);
      if (!append(nodes, renamed, depth + 1))
        return false;
    }
    return true;
  }

  onnx::ModelProto &model_;
  const std::string &file_;
  Diagnostics &diagnostics_;
  size_t count_ = 0;
};

} // namespace

std::shared_ptr<const onnx::ModelProto>
inline_functions(std::shared_ptr<const onnx::ModelProto> model, const std::string &file,
                 Diagnostics &diagnostics) {
  if (model->functions_size() == 0)
    return model;
  auto inlined = std::make_shared<onnx::ModelProto>(*model);
  return Inliner(*inlined, file, diagnostics).run() ? inlined : nullptr;
}

} // namespace cnnc
