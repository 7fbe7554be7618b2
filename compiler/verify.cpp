// Every kernel against the reference interpreter. The reference runs the graph as it is just before
// lowering, where values have the names that the kernels' results have; so a wrong kernel is found
// at its own output. The model's outputs are compared with the graph as it was written, which
// covers the graph passes.
#include "compiler/build.h"
#include "compiler/graph_passes/graph_passes.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace cnnc {

namespace {

using Values = std::map<std::string, Tensor, std::less<>>;

TensorType one_image(TensorType type) {
  if (type.has_symbolic_batch())
    type.shape[0] = 1;
  return type;
}

/// An element of a tensor of any type as a number.
double element(const Tensor &tensor, int64_t index) {
  auto i = static_cast<size_t>(index);
  switch (tensor.type().dtype) {
  case DType::f32:
    return tensor.elements<float>()[i];
  case DType::f64:
    return tensor.elements<double>()[i];
  case DType::i32:
    return tensor.elements<int32_t>()[i];
  case DType::i64:
    return static_cast<double>(tensor.elements<int64_t>()[i]);
  case DType::u8:
  case DType::boolean:
    return tensor.elements<uint8_t>()[i];
  }
  return 0;
}

VerifiedValue compare(std::string kernel, std::string value, const Tensor &computed,
                      const Tensor &reference, double tolerance) {
  VerifiedValue result{std::move(kernel), std::move(value)};
  for (int64_t i = 0; i < reference.count(); ++i) {
    double wanted = element(reference, i);
    double got = element(computed, i);
    if (std::isfinite(wanted))
      result.largest = std::max(result.largest, std::abs(wanted));
    if (wanted == got || (std::isnan(wanted) && std::isnan(got)))
      continue;
    double error = std::abs(wanted - got);
    result.error = std::max(result.error, std::isnan(error) ? INFINITY : error);
  }
  result.wrong = result.error > tolerance * result.largest;
  return result;
}

/// Runs a graph on the reference interpreter and keeps the values for which `keep` is true.
std::optional<Values> interpret_values(const Graph &graph, const Constants &constants,
                                       const std::vector<Tensor> &inputs,
                                       const std::function<bool(const std::string &)> &keep,
                                       Diagnostics &diagnostics) {
  Values values;
  auto observe = [&](ValueId id, const Tensor &tensor) {
    if (keep(graph.value(id).name))
      values.insert_or_assign(graph.value(id).name, tensor);
  };
  if (!interpret(graph, inputs, constants.provider(graph), diagnostics, observe))
    return std::nullopt;
  return values;
}

/// What the profiling hook needs to compare the results of a kernel as soon as it has run.
struct Comparison {
  const Graph &lowered;
  const ProgramLayout &layout;
  const Values &reference;
  double tolerance;
  std::vector<NodeId> calls; // of the steps
  std::vector<void *> outputs;
  std::vector<VerifiedValue> values;
  std::vector<std::string> missing; // results that the reference has no value for

  void after_kernel(uint32_t step, const void *workspace);
};

void Comparison::after_kernel(uint32_t step, const void *workspace) {
  const Node &call = lowered.nodes[calls[step]];
  const codegen::StepDescription &description = layout.description.steps[step];
  for (size_t i = 0; i < call.results.size(); ++i) {
    const Value &value = lowered.value(call.results[i]);
    auto wanted = reference.find(value.name);
    if (wanted == reference.end()) {
      missing.push_back(value.name);
      continue;
    }
    const cnnc_buffer &buffer = description.buffers[call.operands.size() + i];
    const auto *memory = buffer.space == CNNC_SPACE_OUTPUT
                             ? static_cast<const std::byte *>(outputs[buffer.index])
                             : static_cast<const std::byte *>(workspace) + buffer.offset;
    TensorType type = one_image(*value.type);
    std::span<const std::byte> bytes(memory, static_cast<size_t>(byte_size(type).value_or(0)));
    values.push_back(compare(description.name, value.name, read_physical(bytes, type),
                             wanted->second, tolerance));
  }
}

class Verifier {
public:
  Verifier(const Model &model, const Options &options, double tolerance)
      : original_(model, options), session_(model, options), tolerance_(tolerance) {}

  std::optional<Verification> run(const InputMaker &make_inputs);
  Error error() const {
    const Session &failed = original_.has_errors() ? original_ : session_;
    return failed.error();
  }

private:
  bool compile();
  bool interpret_both(const std::vector<Tensor> &inputs);
  std::optional<Verification> run_compiled(const std::vector<Tensor> &inputs);

  Session original_; // types are all it gets
  Session session_;
  double tolerance_;
  Graph before_lowering_;
  std::optional<Constants> written_constants_;
  std::optional<Build> build_;
  std::shared_ptr<const Program::Content> loaded_;
  Values written_values_, kernel_values_;
};

bool Verifier::compile() {
  PassContext context{original_.diagnostics()};
  if (!original_.select_model() || !infer_shapes(original_.model(), context))
    return false;
  written_constants_ =
      Constants::open(original_.model(), original_.weights_path(), original_.diagnostics());
  if (!written_constants_)
    return false;
  if (!session_.resolve_target() || !session_.select_model())
    return false;
  before_lowering_ = original_.model();
  bool ok = session_.run(default_pipeline(), [&](const Pass &pass, const Module &module) {
    if (pass.graph)
      before_lowering_ = module.models.front();
  });
  if (ok && !codegen::runs_on_host(session_.target()))
    session_.diagnostics().error("this machine cannot run code for " + session_.target().cpu);
  if (session_.diagnostics().has_errors())
    return false;
  build_ = build_model(session_);
  if (build_)
    loaded_ = load_build(session_, *build_);
  return loaded_ != nullptr;
}

bool Verifier::interpret_both(const std::vector<Tensor> &inputs) {
  Diagnostics &diagnostics = session_.diagnostics();
  const Graph &written = original_.model();
  auto is_output = [&](const std::string &name) {
    return std::any_of(written.outputs.begin(), written.outputs.end(),
                       [&](ValueId id) { return written.value(id).name == name; });
  };
  const Graph &lowered = session_.model();
  auto is_computed = [&](const std::string &name) {
    std::optional<ValueId> id = lowered.find_value(name);
    return id && !lowered.is_input(*id) &&
           std::holds_alternative<Call>(lowered.nodes[lowered.value(*id).producer].op);
  };
  auto first = interpret_values(written, *written_constants_, inputs, is_output, diagnostics);
  auto second =
      interpret_values(before_lowering_, build_->constants, inputs, is_computed, diagnostics);
  if (!first || !second)
    return false;
  written_values_ = std::move(*first);
  kernel_values_ = std::move(*second);
  return true;
}

std::optional<Verification> Verifier::run_compiled(const std::vector<Tensor> &inputs) {
  const Graph &lowered = session_.model();
  Comparison comparison{lowered, build_->layout, kernel_values_, tolerance_, {}, {}, {}, {}};
  for (NodeId id = 0; id < lowered.nodes.size(); ++id)
    if (std::holds_alternative<Call>(lowered.nodes[id].op))
      comparison.calls.push_back(id);
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
  for (const std::string &name : comparison.missing)
    session_.diagnostics().error(
        fmt::format("internal error: the graph before lowering has no value %{}", name));
  if (!comparison.missing.empty())
    return std::nullopt;
  Verification result{std::move(comparison.values), {}};
  const Graph &written = original_.model();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string &name = written.value(written.outputs[i]).name;
    auto reference = written_values_.find(name);
    if (reference != written_values_.end())
      result.outputs.push_back(compare("", name, outputs[i], reference->second, tolerance_));
  }
  return result;
}

/// The inputs as tensors of one image each.
std::optional<Verification> Verifier::run(const InputMaker &make_inputs) {
  if (!compile())
    return std::nullopt;
  Result<std::vector<std::vector<std::byte>>> inputs = make_inputs(Program(loaded_).table());
  if (!inputs) {
    session_.diagnostics().error(std::string(inputs.error()));
    return std::nullopt;
  }
  const Graph &written = original_.model();
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < written.inputs.size(); ++i) {
    Tensor tensor(one_image(written.type(written.inputs[i])));
    if (i >= inputs->size() || (*inputs)[i].size() != tensor.bytes().size()) {
      session_.diagnostics().error(fmt::format("the input %{} is not one image of {} bytes",
                                               written.value(written.inputs[i]).name,
                                               tensor.bytes().size()));
      return std::nullopt;
    }
    std::copy((*inputs)[i].begin(), (*inputs)[i].end(), tensor.mutable_bytes().begin());
    tensors.push_back(std::move(tensor));
  }
  if (!interpret_both(tensors))
    return std::nullopt;
  return run_compiled(tensors);
}

} // namespace

bool Verification::passed() const {
  auto wrong = [](const VerifiedValue &value) { return value.wrong; };
  return std::none_of(values.begin(), values.end(), wrong) &&
         std::none_of(outputs.begin(), outputs.end(), wrong);
}

Result<Verification> verify(const Model &model, const InputMaker &make_inputs, double tolerance,
                            const Options &options) {
  Verifier verifier(model, options, tolerance);
  std::optional<Verification> result = verifier.run(make_inputs);
  if (!result)
    return verifier.error();
  return std::move(*result);
}

} // namespace cnnc
