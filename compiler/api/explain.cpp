// Why every kernel is as it is: what the policies took down while they decided, what the code has
// become, and how long it should take.
#include "compiler/analysis/source_place.h"
#include "compiler/api/describe_kernels.h"
#include "compiler/schedule/register_tile.h"
#include "ir/graph/printer.h"
#include "ir/loop/scratch.h"

#include <algorithm>
#include <set>

namespace cnnc {

namespace {

/// What the passes have told and left behind.
struct Observed {
  DecisionLog decisions;
  /// The values of the kernels that fuse_kernels made, under the names that they had then: later
  /// passes give these to copies.
  std::map<std::string, std::set<std::string>> values;
  Graph before_lowering;

  void after(const Pass *pass, const Module &module) {
    if (pass && !pass->graph)
      return;
    before_lowering = module.models.front();
    if (!values.empty())
      return;
    const std::vector<std::vector<NodeId>> members = kernel_members(before_lowering);
    for (KernelId id = 0; id < members.size(); ++id)
      for (NodeId member : members[id])
        values[before_lowering.kernels[id].name].insert(
            before_lowering.value(before_lowering.nodes[member].results[0]).name);
  }
};

/// The line of a text that holds the range, without its indentation.
std::string line_of(const SourceRange &range) {
  if (!range.known() || !range.source->is_text)
    return {};
  const std::string_view text = range.source->text;
  const size_t before = text.rfind('\n', range.begin);
  std::string_view line = text.substr(before == std::string_view::npos ? 0 : before + 1);
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return std::string(line);
}

KernelExplanation::Decision published(const Decision &decision) {
  KernelExplanation::Decision result = {decision.pass,
                                        decision.subject,
                                        decision.question,
                                        decision.chosen,
                                        decision.reason,
                                        decision.unit,
                                        {}};
  for (const Decision::Candidate &candidate : decision.candidates)
    result.candidates.push_back({candidate.choice, candidate.cost, candidate.note});
  return result;
}

class Explainer {
public:
  Explainer(const Observed &observed, Session &session, const CompiledProgram &program)
      : observed_(observed), graph_(observed.before_lowering), program_(program),
        machine_(codegen::machine_of(session.target())), members_(kernel_members(graph_)),
        times_(graph_, machine_) {
    for (const loop::Kernel &kernel : session.module().kernels)
      loops_.emplace(kernel.name, &kernel);
    for (size_t i = 0; i < program.layout.kernels.size(); ++i)
      numbers_.emplace(program.layout.kernels[i].name, &program.numbers[i]);
    for (KernelId id = 0; id < graph_.kernels.size(); ++id)
      groups_.emplace(graph_.kernels[id].name, id);
  }

  KernelExplanation explain(KernelInfo info) const {
    KernelExplanation result;
    result.info = std::move(info);
    result.available_registers = machine_.vector_registers;
    add_code(result);
    if (auto group = groups_.find(result.info.name); group != groups_.end())
      add_graph(result, group->second);
    const double bytes = static_cast<double>(result.info.weight_bytes + result.info.input_bytes +
                                             result.info.output_bytes);
    result.memory_bound = bytes > result.operations_at_peak() * machine_.bytes_per_operation;
    return result;
  }

private:
  void add_code(KernelExplanation &result) const {
    const codegen::CodeNumbers &numbers = *numbers_.at(result.info.code);
    result.spilled_accumulators = numbers.spilled_accumulators;
    if (const std::optional<codegen::InnerLoop> &loop = numbers.loop)
      result.loop = {loop->instructions, loop->vector_registers, loop->accumulators,
                     loop->spill_loads, loop->spill_stores};
    const loop::ScratchSize scratch = loop::scratch_size(*loops_.at(result.info.name));
    result.scratch_bytes = scratch.shared;
    result.scratch_bytes_per_thread = scratch.worker;
  }

  void add_graph(KernelExplanation &result, KernelId id) const {
    Schedule schedule = graph_.kernels[id].schedule;
    if (auto again = program_.tiled_again.find(result.info.name);
        again != program_.tiled_again.end()) {
      schedule.tile = again->second.tile;
      result.info.schedule = to_string(schedule);
      result.info.tile = format_tile(schedule);
    }
    for (NodeId member : members_[id])
      result.ops.push_back(op(graph_.nodes[member]));
    result.result = to_string(graph_.type(graph_.nodes[members_[id].back()].results[0]));
    add_decisions(result);
    const TileSize tile = scheduled_tile(graph_, members_[id], schedule);
    result.accumulators = tile.accumulators();
    const KernelTime time = times_.of(id, tile, !schedule.vector.empty());
    result.time = {time.arithmetic, time.waiting, time.memory_bytes};
    result.expected_operations = time.operations(machine_);
  }

  KernelExplanation::Op op(const Node &node) const {
    return {graph_.value(node.results[0]).name, to_string(graph_, node), source_place(node.range),
            line_of(node.range)};
  }

  /// Those on the kernel by its name, and by the names of its values those from before there were
  /// kernels.
  void add_decisions(KernelExplanation &result) const {
    const auto values = observed_.values.find(result.info.name);
    for (const Decision &decision : observed_.decisions) {
      const bool about_value = decision.pass == "choose_algorithms";
      if (about_value
              ? values != observed_.values.end() && values->second.contains(decision.subject)
              : decision.subject == result.info.name)
        result.decisions.push_back(published(decision));
    }
  }

  const Observed &observed_;
  const Graph &graph_;
  const CompiledProgram &program_;
  const Machine machine_;
  const std::vector<std::vector<NodeId>> members_;
  const KernelTimes times_;
  std::map<std::string, const loop::Kernel *> loops_;           // by name
  std::map<std::string, const codegen::CodeNumbers *> numbers_; // by symbol
  std::map<std::string, KernelId> groups_;                      // by name
};

} // namespace

double KernelExplanation::ExpectedTime::seconds(double peak, double bandwidth) const {
  return KernelTime{arithmetic, waiting, memory_bytes}.seconds(peak, bandwidth);
}

Result<std::vector<KernelExplanation>> explain(const Model &model, const Options &options) {
  Observed observed;
  Opening opening;
  opening.decisions = &observed.decisions;
  opening.observe = [&](const Pass *pass, const Module &module) { observed.after(pass, module); };
  Result<Session> session = Session::open(model, options, opening);
  if (!session)
    return Error{std::string(session.error())};
  const std::optional<CompiledProgram> program = session->compile();
  if (!program)
    return session->error();
  const Explainer explainer(observed, *session, *program);
  std::vector<KernelExplanation> result;
  for (KernelInfo &info :
       describe_steps(observed.before_lowering, session->model(), program->layout))
    if (options.print_kernel.empty() || options.print_kernel == info.name)
      result.push_back(explainer.explain(std::move(info)));
  return result;
}

} // namespace cnnc
