// Every kernel against the reference interpreter. After each kernel has run, the reference computes
// the kernel's ops, as they are in the graph just before lowering, from what the compiled kernels
// before it wrote: so rounding errors of earlier layers do not count, and a wrong kernel is found
// at its own output. The model's outputs are compared with the graph as it was written, which
// covers the graph passes but for lower_quantized; with weights of 16 bits, with the graph just before
// lowering, since only that says which are rounded. A kernel that the text gives as loops alone is
// computed by the reference interpreter of loops: that covers code generation, and nothing before
// it.
#include "compiler/analysis/cost.h"
#include "compiler/api/interpret_call.h"
#include "compiler/api/jit.h"
#include "compiler/api/judge.h"
#include "compiler/api/verify_memory.h"
#include "compiler/layout/tensor_layout.h"
#include "compiler/tensor/winograd.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace cnnc {

namespace {

/// Rounding errors add up from layer to layer: the outputs of a whole network may differ by this
/// many times the tolerance of one kernel.
constexpr double chain_tolerance = 10;

using Values = std::map<std::string, Tensor, std::less<>>;

/// What the profiling hook needs to compare the results of a kernel as soon as it has run.
class Comparison {
public:
  Comparison(const Graph &before_lowering, const Module &lowered, const ProgramLayout &layout,
             const Constants &constants, double tolerance, Progress progress,
             Diagnostics &diagnostics)
      : before_(before_lowering), lowered_(lowered.models.front()), kernels_(lowered.kernels),
        layout_(layout), tolerance_(tolerance), progress_(std::move(progress)),
        diagnostics_(diagnostics), members_(kernel_members(before_lowering)),
        constants_(constants.provider(before_lowering)) {
    for (NodeId id = 0; id < lowered_.nodes.size(); ++id)
      if (std::holds_alternative<Call>(lowered_.nodes[id].op))
        calls_.push_back(id);
  }

  std::vector<void *> outputs;
  std::vector<VerifiedValue> values;

  void set_input(const std::string &name, const Tensor &tensor) { computed_[name] = tensor; }
  void after_kernel(uint32_t step, const void *workspace);
  /// What the kernel of a value adds up (judge.h), which is asked only where results differ.
  double magnitudes_of(std::string_view name);

private:
  Tensor read_result(const Value &value, const cnnc_buffer &buffer, const void *workspace) const;
  std::optional<Tensor> operand(ValueId id);
  std::optional<std::vector<Tensor>> reference(const Node &call);
  std::optional<std::vector<Tensor>> reference_of_ops(const Node &call);
  std::optional<std::vector<Tensor>> reference_of_loops(const Node &call);
  std::vector<const Node *> ops_of(ValueId result) const;
  std::optional<ValueId> grouped_value(std::string_view name) const;

  const Graph &before_;
  const Graph &lowered_;
  const std::vector<loop::Kernel> &kernels_;
  const ProgramLayout &layout_;
  double tolerance_;
  Progress progress_;
  Diagnostics &diagnostics_;
  std::vector<std::vector<NodeId>> members_;
  ValueProvider constants_;
  std::vector<NodeId> calls_; // of the steps
  Values computed_;           // what the kernels so far have written
};

Tensor Comparison::read_result(const Value &value, const cnnc_buffer &buffer,
                               const void *workspace) const {
  const auto *memory = buffer.space == CNNC_SPACE_OUTPUT
                           ? static_cast<const std::byte *>(outputs[buffer.index])
                           : static_cast<const std::byte *>(workspace);
  TensorType type = one_image(*value.type);
  return read_physical({memory + buffer.offset, static_cast<size_t>(byte_size(type).value_or(0))},
                       type);
}

/// A value that a kernel reads: a constant, what another kernel wrote, or a view of that.
std::optional<Tensor> Comparison::operand(ValueId id) {
  if (before_.is_constant(id))
    return constants_(id, diagnostics_);
  const Value &value = before_.value(id);
  if (auto known = computed_.find(value.name); known != computed_.end())
    return known->second;
  if (value.producer == no_id)
    return std::nullopt;
  const Node &view = before_.nodes[value.producer];
  std::vector<Tensor> viewed;
  for (ValueId operand_of_view : view.operands) {
    std::optional<Tensor> tensor = operand(operand_of_view);
    if (!tensor)
      return std::nullopt;
    viewed.push_back(std::move(*tensor));
  }
  std::vector<const Tensor *> operands;
  for (const Tensor &tensor : viewed)
    operands.push_back(&tensor);
  std::vector<TensorType> types;
  for (ValueId result : view.results)
    types.push_back(one_image(before_.type(result)));
  auto results = evaluate(view.op, operands, types, diagnostics_);
  if (!results)
    return std::nullopt;
  auto index = std::find(view.results.begin(), view.results.end(), id) - view.results.begin();
  return std::move((*results)[static_cast<size_t>(index)]);
}

/// The ops of the graph just before lowering, where the kernel has any.
std::optional<std::vector<Tensor>> Comparison::reference_of_ops(const Node &call) {
  std::vector<ValueId> results;
  for (ValueId id : call.results)
    results.push_back(*before_.find_value(lowered_.value(id).name));
  auto provider = [this](ValueId id, Diagnostics &) { return operand(id); };
  return run_nodes(before_, ops_of(results[0]), results, provider, 1, diagnostics_);
}

/// The ops of the kernel that computes a value.
std::vector<const Node *> Comparison::ops_of(ValueId result) const {
  std::vector<const Node *> nodes;
  for (NodeId member : members_[before_.nodes[before_.value(result).producer].kernel])
    nodes.push_back(&before_.nodes[member]);
  return nodes;
}

std::optional<std::vector<Tensor>> Comparison::reference_of_loops(const Node &call) {
  const std::string &name = std::get<Call>(call.op).kernel;
  auto kernel = std::ranges::find(kernels_, name, &loop::Kernel::name);
  std::vector<Tensor> operands;
  for (ValueId id : call.operands) {
    std::optional<ValueId> before = before_.find_value(lowered_.value(id).name);
    std::optional<Tensor> tensor = before ? operand(*before) : std::nullopt;
    if (!tensor)
      return std::nullopt;
    operands.push_back(std::move(*tensor));
  }
  return interpret_call(lowered_, call, *kernel, operands, diagnostics_);
}

std::optional<std::vector<Tensor>> Comparison::reference(const Node &call) {
  const bool grouped = std::ranges::all_of(
      call.results, [&](ValueId id) { return grouped_value(lowered_.value(id).name).has_value(); });
  return grouped ? reference_of_ops(call) : reference_of_loops(call);
}

/// A value that ops in a kernel compute; empty where they are not known.
std::optional<ValueId> Comparison::grouped_value(std::string_view name) const {
  const std::optional<ValueId> id = before_.find_value(name);
  const bool grouped = id && before_.value(*id).producer != no_id &&
                       before_.nodes[before_.value(*id).producer].kernel != no_id;
  return grouped ? id : std::nullopt;
}

double Comparison::magnitudes_of(std::string_view name) {
  const std::optional<ValueId> id = grouped_value(name);
  auto provider = [this](ValueId operand_id, Diagnostics &) { return operand(operand_id); };
  return id ? largest_sum_of_magnitudes(before_, ops_of(*id), provider) : 0;
}

void Comparison::after_kernel(uint32_t step, const void *workspace) {
  const Node &call = lowered_.nodes[calls_[step]];
  const codegen::StepDescription &description = layout_.description.steps[step];
  std::optional<std::vector<Tensor>> wanted = reference(call);
  for (size_t i = 0; wanted && i < call.results.size(); ++i) {
    const Value &value = lowered_.value(call.results[i]);
    Tensor computed = read_result(value, description.buffers[call.operands.size() + i], workspace);
    Tensor &expected = (*wanted)[i];
    // Winograd's transform has no inverse: for the ops behind it the filter itself stands for it.
    const int64_t winograd = value.type->layout.winograd;
    const bool transformed = winograd > 0 && expected.shape() == value.type->shape;
    values.push_back(compare(description.name, value.name, computed,
                             transformed ? winograd_filter(expected, winograd) : expected,
                             tolerance_));
    if (values.back().wrong)
      allow_rounding(values.back(), tolerance_, magnitudes_of(value.name));
    computed_[value.name] = std::move(transformed ? expected : computed);
  }
  if (progress_)
    progress_(step + 1, calls_.size());
}

class Verifier {
public:
  /// `written` has types and nothing else.
  Verifier(Session &written, Session &session, const Graph &before_lowering, double tolerance)
      : written_(written.model()), session_(session), before_lowering_(before_lowering),
        tolerance_(tolerance) {}

  std::optional<Verification> run(const Constants &written_constants,
                                  const InputMaker &make_inputs);

private:
  bool compile();
  void announce() const;
  std::optional<std::vector<Tensor>> tensors_of(const InputMaker &make_inputs);
  bool interpret_written(const Constants &constants, const std::vector<Tensor> &inputs);
  bool interpret_model(const Graph &graph, const Constants &constants,
                       const std::vector<Tensor> &inputs);
  std::optional<Verification> run_compiled(const std::vector<Tensor> &inputs);

  const Graph &written_;
  Session &session_;
  const Graph &before_lowering_;
  double tolerance_;
  std::optional<Constants> constants_;
  std::optional<CompiledProgram> program_;
  std::shared_ptr<const Program::Content> loaded_;
  Values written_values_;
};

bool Verifier::compile() {
  if (!codegen::runs_on_host(session_.target())) {
    session_.diagnostics().error("this machine cannot run code for " + session_.target().cpu);
    return false;
  }
  constants_ = session_.open_constants();
  if (constants_)
    program_ = session_.compile();
  if (program_ && check_program_memory(session_, program_->layout.description) &&
      check_verify_memory(session_, written_, before_lowering_, program_->layout))
    loaded_ = load_program(session_, *program_, *constants_);
  return loaded_ != nullptr;
}

/// The reference interpreter takes about two seconds per thousand million multiplications.
void Verifier::announce() const {
  int64_t work = 0;
  for (const Node &node : before_lowering_.nodes)
    work += multiplications(before_lowering_, node) / 1'000'000;
  if (work > 500 && session_.options().remark)
    session_.options().remark(
        fmt::format("the reference interpreter computes {} million multiplications, twice", work));
}

/// The outputs of the model as it was written.
bool Verifier::interpret_written(const Constants &constants, const std::vector<Tensor> &inputs) {
  if (std::ranges::any_of(written_.nodes,
                          [](const Node &node) { return std::holds_alternative<Call>(node.op); }))
    return true; // a text with loops says no more than they do
  // Weights are rounded to 16 bits when they are packed: the outputs are those of that graph.
  return session_.options().weights_type == WeightsType::f32
             ? interpret_model(written_, constants, inputs)
             : interpret_model(before_lowering_, *constants_, inputs);
}

bool Verifier::interpret_model(const Graph &graph, const Constants &constants,
                               const std::vector<Tensor> &inputs) {
  const Progress progress = session_.progress("ops interpreted");
  const auto total = static_cast<size_t>(std::ranges::count_if(
      graph.nodes, [&](const Node &node) { return !graph.is_constant(node.results.front()); }));
  size_t done = 0;
  auto observe = [&](ValueId id, const Tensor &tensor) {
    if (graph.is_output(id))
      written_values_.insert_or_assign(graph.value(id).name, tensor);
    if (progress && id == graph.nodes[graph.value(id).producer].results.back())
      progress(++done, total);
  };
  return interpret(graph, inputs, constants.provider(graph), session_.diagnostics(), observe)
      .has_value();
}

std::optional<Verification> Verifier::run_compiled(const std::vector<Tensor> &inputs) {
  const Graph &lowered = session_.model();
  Comparison comparison(before_lowering_, session_.module(), program_->layout, *constants_,
                        tolerance_, session_.progress("kernels verified"), session_.diagnostics());
  for (size_t i = 0; i < inputs.size(); ++i)
    comparison.set_input(lowered.value(lowered.inputs[i]).name, inputs[i]);
  std::vector<Tensor> outputs;
  for (ValueId id : lowered.outputs)
    outputs.emplace_back(one_image(lowered.type(id)));
  for (Tensor &output : outputs)
    comparison.outputs.push_back(output.mutable_bytes().data());
  cnnc_context context = {};
  context.profile_user = &comparison;
  context.profile = [](void *user, uint32_t kernel, uint64_t, const void *workspace) {
    static_cast<Comparison *>(user)->after_kernel(kernel, workspace);
  };
  std::vector<const void *> pointers;
  for (const Tensor &input : inputs)
    pointers.push_back(input.bytes().data());
  Result<void> ran = Program(loaded_).run(pointers, comparison.outputs, &context);
  if (!ran) {
    session_.diagnostics().error("internal error: the model did not run: " +
                                 std::string(ran.error()));
    return std::nullopt;
  }
  if (session_.diagnostics().has_errors())
    return std::nullopt;
  Verification result{std::move(comparison.values), {}};
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string &name = written_.value(written_.outputs[i]).name;
    auto reference = written_values_.find(name);
    if (reference == written_values_.end())
      continue;
    const double tolerance = chain_tolerance * tolerance_;
    result.outputs.push_back(compare("", name, outputs[i], reference->second, tolerance));
    if (result.outputs.back().wrong)
      allow_rounding(result.outputs.back(), tolerance,
                     chain_tolerance * comparison.magnitudes_of(name));
  }
  return result;
}

/// The inputs as tensors of one image each.
std::optional<std::vector<Tensor>> Verifier::tensors_of(const InputMaker &make_inputs) {
  Result<std::vector<std::vector<std::byte>>> inputs = make_inputs(Program(loaded_).table());
  if (!inputs) {
    session_.diagnostics().error(std::string(inputs.error()));
    return std::nullopt;
  }
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < written_.inputs.size(); ++i) {
    Tensor tensor(one_image(written_.type(written_.inputs[i])));
    if (i >= inputs->size() || (*inputs)[i].size() != tensor.bytes().size()) {
      session_.diagnostics().error(fmt::format("the input %{} is not one image of {} bytes",
                                               written_.value(written_.inputs[i]).name,
                                               tensor.bytes().size()));
      return std::nullopt;
    }
    std::copy((*inputs)[i].begin(), (*inputs)[i].end(), tensor.mutable_bytes().begin());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::optional<Verification> Verifier::run(const Constants &written_constants,
                                          const InputMaker &make_inputs) {
  if (!compile())
    return std::nullopt;
  std::optional<std::vector<Tensor>> inputs = tensors_of(make_inputs);
  if (!inputs)
    return std::nullopt;
  announce();
  if (!interpret_written(written_constants, *inputs))
    return std::nullopt;
  return run_compiled(*inputs);
}

/// The model as it was written, with types. Of quantised numbers what lower_quantized makes of it:
/// the scales that it multiplies in another order may put a number one step away.
Result<Session> open_written(const Model &model, Options options) {
  options.timing = {};
  return Session::open(model, quiet(std::move(options)), {true, meaning_pipeline()});
}

} // namespace

bool Verification::passed() const {
  auto wrong = [](const VerifiedValue &value) { return value.wrong; };
  return std::none_of(values.begin(), values.end(), wrong) &&
         std::none_of(outputs.begin(), outputs.end(), wrong);
}

Result<Verification> verify(const Model &model, const InputMaker &make_inputs, double tolerance,
                            const Options &options) {
  Result<Session> written = open_written(model, options);
  if (!written)
    return Error{std::string(written.error())};
  std::optional<Constants> written_constants = written->open_constants();
  if (!written_constants)
    return written->error();
  Graph before_lowering;
  Opening opening;
  opening.observe = [&](const Pass *pass, const Module &module) {
    if (!pass || pass->graph)
      before_lowering = module.models.front();
  };
  Result<Session> session = Session::open(model, options, opening);
  if (!session)
    return Error{std::string(session.error())};
  Verifier verifier(*written, *session, before_lowering, tolerance);
  std::optional<Verification> result = verifier.run(*written_constants, make_inputs);
  if (!result)
    return session->error();
  return std::move(*result);
}

} // namespace cnnc
