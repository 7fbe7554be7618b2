#include "compiler/program/program.h"

#include "compiler/layout/memory_plan.h"
#include "ir/loop/scratch.h"

#include <fmt/format.h>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace cnnc {

namespace {

constexpr uint64_t weights_alignment = 64;

cnnc_dtype dtype_of(DType dtype) { return static_cast<cnnc_dtype>(dtype); }
static_assert(int(DType::f32) == CNNC_F32 && int(DType::f64) == CNNC_F64 &&
              int(DType::i32) == CNNC_I32 && int(DType::i64) == CNNC_I64 &&
              int(DType::u8) == CNNC_U8 && int(DType::boolean) == CNNC_BOOL &&
              int(DType::i8) == CNNC_I8 && int(DType::i16) == CNNC_I16);

/// Elements and their type, as a kernel's buffer and a graph's value both have them.
bool same_memory(const loop::Buffer &buffer, const TensorType &type) {
  return buffer.dtype == type.dtype && buffer.shape == physical_shape(type);
}

/// Gives buffers, tables and registers names that only depend on their order: values of different
/// layers have different names.
class Renamer {
public:
  void operator()(std::string &name) {
    auto [entry, inserted] = names_.try_emplace(name, "");
    if (inserted)
      entry->second = "b" + std::to_string(names_.size());
    name = entry->second;
  }
  void operator()(loop::Expression &expression) {
    if (expression.kind == loop::Expression::Kind::load)
      (*this)(expression.access.buffer);
    (*this)(expression.access.subscripts);
    for (loop::Expression &argument : expression.arguments)
      (*this)(argument);
  }
  void operator()(std::vector<loop::Index> &indices) {
    for (loop::Index &index : indices)
      index = loop::rename_lookups(index, [&](std::string &name) { (*this)(name); });
  }
  void operator()(std::vector<loop::Statement> &body) {
    for (loop::Statement &statement : body)
      std::visit(overloaded{[&](loop::For &loop) {
                              (*this)(loop.lower);
                              (*this)(loop.upper);
                              (*this)(loop.body);
                            },
                            [&](loop::Register &reg) { (*this)(reg.name); },
                            [&](loop::Assign &assign) {
                              (*this)(assign.target.buffer);
                              (*this)(assign.target.subscripts);
                              (*this)(assign.value);
                            }},
                 statement.node);
  }

private:
  std::map<std::string, std::string> names_;
};

class Builder {
public:
  Builder(const Module &module, const Graph &model, Diagnostics &diagnostics)
      : model_(model), diagnostics_(diagnostics), places_(places_of_values(model)) {
    for (const loop::Kernel &kernel : module.kernels)
      kernels_.emplace(kernel.name, &kernel);
  }

  std::optional<ProgramLayout> build(const codegen::Target &target);

private:
  codegen::TensorDescription describe(ValueId value) const;
  bool step(const Node &node, const Call &call);
  void add_scratch(const loop::ScratchSize &size);
  bool buffer(ValueId value, const loop::Buffer &expected, const SourceRange &range);
  cnnc_buffer constant(ValueId value);
  std::string symbol_of(const loop::Kernel &kernel);
  bool check_output(uint32_t index);
  const loop::Kernel *find_kernel(const std::string &name) const;
  bool error(const SourceRange &range, std::string message) {
    diagnostics_.error(range, std::move(message));
    return false;
  }

  const Graph &model_;
  Diagnostics &diagnostics_;
  std::vector<Place> places_;                                          // of the values
  std::unordered_map<std::string_view, const loop::Kernel *> kernels_; // of the text, by name
  ProgramLayout program_;
  std::vector<cnnc_buffer> buffers_; // of the step at hand
  uint64_t values_size_ = 0;         // bytes of the workspace that plan_memory gave to values
  std::unordered_map<ValueId, uint64_t> weight_offsets_;
  std::unordered_map<ValueId, uint32_t> input_index_, output_index_; // of roots
  std::unordered_set<uint32_t> written_outputs_;         // or read: what is read has been written
  std::unordered_map<std::string, std::string> symbols_; // of code_key()
};

codegen::TensorDescription Builder::describe(ValueId id) const {
  const TensorType &type = model_.type(id);
  codegen::TensorDescription result;
  result.name = model_.value(id).name;
  result.dtype = dtype_of(type.dtype);
  for (int64_t dim : type.shape)
    result.shape.push_back(dim == symbolic_dim ? CNNC_SYMBOLIC_BATCH : dim);
  result.size = static_cast<uint64_t>(byte_size(type).value_or(0));
  return result;
}

const loop::Kernel *Builder::find_kernel(const std::string &name) const {
  auto found = kernels_.find(name);
  return found == kernels_.end() ? nullptr : found->second;
}

/// Prefixed with the model's name, so that no kernel can be mistaken for a function of libc.
std::string Builder::symbol_of(const loop::Kernel &kernel) {
  auto [entry, inserted] = symbols_.try_emplace(code_key(kernel), model_.name + "." + kernel.name);
  if (inserted) {
    program_.kernels.push_back(kernel);
    program_.kernels.back().name = entry->second;
  }
  return entry->second;
}

/// The place of a constant among the weights; in the order of their first use.
cnnc_buffer Builder::constant(ValueId id) {
  uint64_t &end = program_.description.weights_size;
  auto [entry, inserted] = weight_offsets_.try_emplace(id, 0);
  if (inserted) {
    auto size = static_cast<uint64_t>(byte_size(model_.type(id)).value_or(0));
    entry->second = (end + weights_alignment - 1) / weights_alignment * weights_alignment;
    end = entry->second + size;
    program_.weights.push_back({id, entry->second, size});
  }
  return {CNNC_SPACE_WEIGHTS, 0, entry->second};
}

/// Appends the memory of one operand or result of a call.
bool Builder::buffer(ValueId id, const loop::Buffer &expected, const SourceRange &range) {
  const Value &value = model_.value(id);
  if (!same_memory(expected, *value.type))
    return error(range,
                 fmt::format("%{} is {}, which is not what the kernel's buffer {}: {}{} holds",
                             format_name(value.name), to_string(*value.type), expected.name,
                             name_of(expected.dtype), to_string(expected.shape)));
  if (model_.is_constant(id)) {
    buffers_.push_back(constant(id));
    return true;
  }
  ValueId root = places_[id].root;
  auto offset = static_cast<uint64_t>(places_[id].offset);
  if (auto input = input_index_.find(root); input != input_index_.end()) {
    buffers_.push_back({CNNC_SPACE_INPUT, input->second, offset});
    return true;
  }
  if (auto output = output_index_.find(root); output != output_index_.end()) {
    written_outputs_.insert(output->second);
    buffers_.push_back({CNNC_SPACE_OUTPUT, output->second, offset});
    return true;
  }
  if (!model_.value(root).offset)
    return error(range, fmt::format("%{} has no place in the workspace; run plan_memory",
                                    format_name(model_.value(root).name)));
  offset += static_cast<uint64_t>(*model_.value(root).offset);
  buffers_.push_back({CNNC_SPACE_WORKSPACE, 0, offset});
  return true;
}

/// All kernels use the same memory behind the values of the workspace: first what a kernel has
/// once, then what it has for every worker.
void Builder::add_scratch(const loop::ScratchSize &size) {
  buffers_.push_back({CNNC_SPACE_WORKSPACE, 0, values_size_});
  codegen::ModelDescription &description = program_.description;
  description.workspace_size =
      std::max(description.workspace_size, values_size_ + static_cast<uint64_t>(size.shared) +
                                               static_cast<uint64_t>(size.worker));
  description.workspace_per_thread =
      std::max(description.workspace_per_thread, static_cast<uint64_t>(size.worker));
}

bool Builder::step(const Node &node, const Call &call) {
  const loop::Kernel *kernel = find_kernel(call.kernel);
  if (!kernel)
    return error(node.range,
                 fmt::format("there is no kernel @{} in this text", format_name(call.kernel)));
  if (kernel->inputs.size() != node.operands.size() ||
      kernel->outputs.size() != node.results.size())
    return error(node.range,
                 fmt::format("the kernel @{} has {} inputs and {} outputs; this call has {} and {}",
                             format_name(kernel->name), kernel->inputs.size(),
                             kernel->outputs.size(), node.operands.size(), node.results.size()));
  size_t count = node.operands.size() + node.results.size();
  if (count > CNNC_MAX_KERNEL_BUFFERS)
    return error(node.range,
                 fmt::format("a kernel can have at most {} buffers; @{} has {}",
                             int(CNNC_MAX_KERNEL_BUFFERS), format_name(kernel->name), count));
  loop::ScratchSize scratch = scratch_size(*kernel);
  bool has_scratch = scratch.shared + scratch.worker > 0;
  if (count + has_scratch > CNNC_MAX_KERNEL_BUFFERS)
    return error(node.range, fmt::format("the kernel @{} has no room for its scratch among {} "
                                         "buffers",
                                         format_name(kernel->name), int(CNNC_MAX_KERNEL_BUFFERS)));
  bool ok = true;
  buffers_.clear();
  for (size_t i = 0; i < node.operands.size(); ++i)
    ok = buffer(node.operands[i], kernel->inputs[i],
                i < node.operand_ranges.size() ? node.operand_ranges[i] : node.range) &&
         ok;
  for (size_t i = 0; i < node.results.size(); ++i)
    ok = buffer(node.results[i], kernel->outputs[i], node.range) && ok;
  if (has_scratch)
    add_scratch(scratch);
  if (ok)
    program_.description.steps.push_back({call.kernel, symbol_of(*kernel), buffers_});
  return ok;
}

/// A caller sees an output as a plain tensor, which a kernel has to write.
bool Builder::check_output(uint32_t index) {
  ValueId id = model_.outputs[index];
  const SourceRange range =
      index < model_.output_ranges.size() ? model_.output_ranges[index] : SourceRange();
  std::string name = format_name(model_.value(id).name);
  if (is_empty(model_.type(id)))
    return true;
  if (!model_.type(id).layout.plain())
    return error(range, fmt::format("the output %{} has the layout {}; run assign_layouts", name,
                                    to_string(model_.type(id))));
  if (written_outputs_.contains(index))
    return true;
  return error(range, fmt::format("no kernel writes the output %{}; run assign_layouts", name));
}

std::optional<ProgramLayout> Builder::build(const codegen::Target &target) {
  codegen::ModelDescription &description = program_.description;
  description.name = model_.name;
  description.target = target;
  values_size_ = static_cast<uint64_t>(workspace_size(model_));
  description.workspace_size = values_size_;
  for (ValueId input : model_.inputs) {
    input_index_[input] = static_cast<uint32_t>(description.inputs.size());
    description.inputs.push_back(describe(input));
    description.symbolic_batch |= model_.type(input).has_symbolic_batch();
  }
  for (size_t i = 0; i < model_.outputs.size(); ++i) {
    const ValueId output = model_.outputs[i];
    output_index_[places_[output].root] = static_cast<uint32_t>(description.outputs.size());
    description.outputs.push_back(describe(output));
    if (ValueId input = model_.updated_by(i); input != no_id)
      description.outputs.back().updates = input_index_.at(input);
  }
  bool ok = true;
  for (const Node &node : model_.nodes) {
    if (const Call *call = std::get_if<Call>(&node.op))
      ok = step(node, *call) && ok;
    else if (!model_.is_constant(node.results.front()) && !is_view(model_, node))
      ok = error(node.range, fmt::format("{} has not been lowered to loops; run lower_loops",
                                         info_of(node.op).name));
  }
  for (size_t i = 0; ok && i < model_.outputs.size(); ++i)
    ok = check_output(static_cast<uint32_t>(i));
  if (!ok)
    return std::nullopt;
  return std::move(program_);
}

} // namespace

std::string code_key(const loop::Kernel &kernel) {
  loop::Kernel anonymous = kernel;
  anonymous.name = "kernel";
  Renamer rename;
  for (auto *buffers : {&anonymous.inputs, &anonymous.outputs, &anonymous.locals})
    for (loop::Buffer &buffer : *buffers)
      rename(buffer.name);
  for (loop::Table &table : anonymous.tables)
    rename(table.name);
  rename(anonymous.body);
  return loop::to_string(anonymous);
}

std::optional<ProgramLayout> lay_out_program(const Module &module, const codegen::Target &target,
                                             Diagnostics &diagnostics) {
  if (module.models.empty())
    return ProgramLayout{{}, module.kernels, {}};
  return Builder(module, module.models.front(), diagnostics).build(target);
}

} // namespace cnnc
