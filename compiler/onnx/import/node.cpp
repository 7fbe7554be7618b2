#include "compiler/onnx/import/node.h"

#include "compiler/onnx/import/node_order.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

/// Known elements of larger tensors are not looked at one by one.
constexpr size_t most_fixed = size_t(1) << 22;

/// More floats are weights, whose arithmetic belongs into the graph.
constexpr size_t most_folded_floats = 8;

const std::string no_name;

} // namespace

OnnxNode::OnnxNode(Importer &importer, const onnx::NodeProto &node)
    : importer_(importer), node_(node), range_(importer.part(describe(node))),
      first_new_value_(importer.graph().values.size()) {}

const std::string &OnnxNode::op() const { return node_.op_type(); }
const std::string &OnnxNode::domain() const { return node_.domain(); }

bool OnnxNode::fail(std::string message) {
  importer_.diagnostics().error(range_, std::move(message));
  return false;
}

size_t OnnxNode::input_count() const { return static_cast<size_t>(node_.input_size()); }
size_t OnnxNode::output_count() const { return static_cast<size_t>(node_.output_size()); }

const std::string &OnnxNode::input_name(size_t input) const {
  return input < input_count() ? node_.input(static_cast<int>(input)) : no_name;
}

const std::string &OnnxNode::output_name(size_t output) const {
  return output < output_count() ? node_.output(static_cast<int>(output)) : no_name;
}

bool OnnxNode::has(size_t input) const { return !input_name(input).empty(); }
bool OnnxNode::has_output(size_t output) const { return !output_name(output).empty(); }
bool OnnxNode::wants(size_t output) const {
  return !output_name(output).empty() && importer_.is_read(output_name(output));
}

OnnxValue &OnnxNode::value(size_t input) {
  OnnxValue *value = importer_.find(input_name(input));
  assert(value && "nodes_in_order has checked that it is defined");
  return *value;
}

bool OnnxNode::has_failed_input() {
  for (size_t i = 0; i < input_count(); ++i)
    if (has(i) && value(i).failed)
      return true;
  return false;
}

bool OnnxNode::require_inputs(size_t least, size_t most) {
  for (size_t i = 0; i < least; ++i)
    if (!has(i))
      return fail(fmt::format("its input {} is missing", i + 1));
  for (size_t i = most; i < input_count(); ++i)
    if (has(i))
      return fail(fmt::format("it has {} inputs, but {} has at most {} in opset {}", input_count(),
                              op(), most, opset()));
  return true;
}

bool OnnxNode::require_rank(size_t input, size_t wanted, std::string_view meaning) {
  return rank(input) == wanted ||
         fail(fmt::format("input '{}' must have {} dimensions, {}, but is {}",
                          printable(input_name(input)), wanted, meaning, to_string(type(input))));
}

ValueId OnnxNode::operand(size_t input) { return importer_.tensor(value(input), range_); }

const FixedTensor *OnnxNode::fixed(size_t input) {
  return importer_.fixed(value(input), most_fixed);
}

bool OnnxNode::is_constant(size_t input) {
  const Graph &graph = importer_.graph();
  std::vector<ValueId> pending = {operand(input)};
  std::set<ValueId> seen(pending.begin(), pending.end());
  while (!pending.empty()) {
    ValueId id = pending.back();
    pending.pop_back();
    if (id == no_id || graph.is_input(id))
      return false;
    for (ValueId operand : graph.nodes[graph.value(id).producer].operands)
      if (seen.insert(operand).second)
        pending.push_back(operand);
  }
  return true;
}

bool OnnxNode::foldable() {
  for (size_t i = 0; i < input_count(); ++i) {
    if (!has(i))
      continue;
    const FixedTensor *known = fixed(i);
    if (!known || (known->is_float() && known->count() > most_folded_floats))
      return false;
  }
  return true;
}

const FixedTensor *OnnxNode::known(size_t input, std::string_view meaning) {
  const FixedTensor *known = fixed(input);
  if (!known)
    fail(fmt::format("{} ('{}') must be known when the model is compiled, but depends on the "
                     "model's inputs",
                     meaning, printable(input_name(input))));
  return known;
}

std::optional<std::vector<int64_t>> OnnxNode::known_shape(size_t input, std::string_view meaning) {
  const FixedTensor *elements = known(input, meaning);
  if (!elements)
    return std::nullopt;
  if (!elements->is_float())
    return elements->ints();
  fail(fmt::format("{} ('{}') must be integers", meaning, printable(input_name(input))));
  return std::nullopt;
}

std::optional<std::vector<int64_t>> OnnxNode::known_integers(size_t input,
                                                             std::string_view meaning) {
  std::optional<std::vector<int64_t>> elements = known_shape(input, meaning);
  if (!elements || std::find(elements->begin(), elements->end(), batch_marker) == elements->end())
    return elements;
  fail(fmt::format("{} ('{}') depends on the size of the batch: {}", meaning,
                   printable(input_name(input)), importer_.advice_to_fix_batch()));
  return std::nullopt;
}

std::optional<std::vector<double>> OnnxNode::known_numbers(size_t input, std::string_view meaning) {
  const FixedTensor *elements = known(input, meaning);
  if (!elements)
    return std::nullopt;
  std::vector<double> result;
  for (size_t i = 0; i < elements->count(); ++i)
    result.push_back(elements->number(i));
  return result;
}

bool OnnxNode::has_attribute(std::string_view name) const {
  return std::any_of(node_.attribute().begin(), node_.attribute().end(),
                     [&](const onnx::AttributeProto &row) { return row.name() == name; });
}

const onnx::AttributeProto *OnnxNode::attribute(std::string_view name, int32_t type) {
  read_.emplace(name);
  for (const onnx::AttributeProto &row : node_.attribute()) {
    if (row.name() != name)
      continue;
    // Files of IR version 1 do not state types.
    if (row.type() == type || row.type() == onnx::AttributeProto::UNDEFINED)
      return &row;
    wrong_attribute_ = true;
    fail(fmt::format("the attribute '{}' must be of type {}, but is {}", name,
                     onnx::AttributeProto::AttributeType_Name(
                         static_cast<onnx::AttributeProto::AttributeType>(type)),
                     onnx::AttributeProto::AttributeType_Name(row.type())));
    break;
  }
  return nullptr;
}

int64_t OnnxNode::integer(std::string_view name, int64_t default_value) {
  const onnx::AttributeProto *row = attribute(name, onnx::AttributeProto::INT);
  return row ? row->i() : default_value;
}

double OnnxNode::number(std::string_view name, double default_value) {
  const onnx::AttributeProto *row = attribute(name, onnx::AttributeProto::FLOAT);
  return row ? shortest_double(row->f()) : default_value;
}

std::string OnnxNode::word(std::string_view name, std::string default_value) {
  const onnx::AttributeProto *row = attribute(name, onnx::AttributeProto::STRING);
  return row ? row->s() : default_value;
}

std::optional<std::vector<int64_t>> OnnxNode::integers(std::string_view name) {
  const onnx::AttributeProto *row = attribute(name, onnx::AttributeProto::INTS);
  return row ? std::optional(std::vector<int64_t>(row->ints().begin(), row->ints().end()))
             : std::nullopt;
}

std::optional<std::vector<double>> OnnxNode::numbers(std::string_view name) {
  const onnx::AttributeProto *row = attribute(name, onnx::AttributeProto::FLOATS);
  if (!row)
    return std::nullopt;
  std::vector<double> result;
  for (float number : row->floats())
    result.push_back(shortest_double(number));
  return result;
}

const onnx::TensorProto *OnnxNode::tensor(std::string_view name) {
  const onnx::AttributeProto *row = attribute(name, onnx::AttributeProto::TENSOR);
  return row ? &row->t() : nullptr;
}

const onnx::GraphProto *OnnxNode::graph(std::string_view name) {
  const onnx::AttributeProto *row = attribute(name, onnx::AttributeProto::GRAPH);
  return row ? &row->g() : nullptr;
}

bool OnnxNode::check_attributes() {
  bool ok = !wrong_attribute_;
  for (const onnx::AttributeProto &row : node_.attribute())
    if (!read_.contains(row.name()))
      ok = fail(fmt::format("{} has no attribute '{}' in opset {}", op(), printable(row.name()),
                            opset()));
  return ok;
}

std::vector<ValueId> OnnxNode::emit_several(std::string_view op, std::vector<ValueId> operands,
                                            Attributes attributes) {
  if (std::find(operands.begin(), operands.end(), no_id) != operands.end())
    return {};
  return importer_.add({op, std::move(operands), std::move(attributes)},
                       fmt::format("{}.{}", printable(main_output()), op), range_);
}

ValueId OnnxNode::emit(std::string_view op, std::vector<ValueId> operands, Attributes attributes) {
  std::vector<ValueId> results = emit_several(op, std::move(operands), std::move(attributes));
  return results.empty() ? no_id : results.front();
}

ValueId OnnxNode::converted(ValueId value, DType dtype) {
  if (value == no_id || type_of(value).dtype == dtype)
    return value;
  return emit("cast", {value}, {{"to", Word{std::string(name_of(dtype))}}});
}

ValueId OnnxNode::emit_arithmetic(std::string_view op, std::vector<ValueId> operands,
                                  Attributes attributes, size_t with_type_of) {
  if (std::find(operands.begin(), operands.end(), no_id) != operands.end())
    return no_id;
  DType dtype = type_of(operands[with_type_of]).dtype;
  for (ValueId &operand : operands)
    operand = as_floats(operand);
  return converted(emit(op, std::move(operands), std::move(attributes)), dtype);
}

ValueId OnnxNode::splat(double value, std::vector<int64_t> shape, DType dtype) {
  return importer_.add_constant(
      Splat{value}, {dtype, std::move(shape), "", {}},
      importer_.names().fresh(fmt::format("{}.constant", printable(main_output()))), range_);
}

ValueId OnnxNode::constant(const FixedTensor &fixed) {
  return importer_.add_fixed(
      fixed, importer_.names().fresh(fmt::format("{}.constant", printable(main_output()))), range_);
}

const std::string &OnnxNode::main_output() const {
  for (const std::string &output : node_.output())
    if (!output.empty())
      return output;
  return no_name;
}

bool OnnxNode::pass_through(size_t input) {
  value(input); // reads it when it is an initializer
  importer_.define_alias(output_name(0), input_name(input));
  return true;
}

bool OnnxNode::result_is(const std::string &name, size_t output) {
  const OnnxValue *value = importer_.find(name);
  if (!value || value->failed)
    return false;
  importer_.define_alias(output_name(output), name);
  return true;
}

bool OnnxNode::result(ValueId id, size_t output) {
  if (id == no_id)
    return false;
  if (!wants(output))
    return true;
  Graph &graph = importer_.graph();
  // What this node has made, and has not called like an output of its own yet.
  bool is_new = id >= first_new_value_ && named_.insert(id).second;
  if (is_new)
    graph.rename(id, importer_.names().of(output_name(output)));
  importer_.define(output_name(output), {.type = graph.type(id), .id = id});
  return true;
}

bool OnnxNode::result(FixedTensor fixed, size_t output) {
  OnnxValue value;
  value.type = {fixed.dtype, fixed.shape, "", {}};
  value.fixed = std::make_shared<const FixedTensor>(std::move(fixed));
  return result(value, output);
}

bool OnnxNode::result(const OnnxValue &value, size_t output) {
  if (wants(output))
    importer_.define(output_name(output), value);
  return !value.failed;
}

void OnnxNode::fail_outputs() {
  for (const std::string &output : node_.output())
    if (!output.empty())
      importer_.define(output, {.failed = true});
}

} // namespace cnnc
