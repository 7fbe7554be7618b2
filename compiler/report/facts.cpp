#include "compiler/analysis/cost.h"
#include "compiler/analysis/receptive_field.h"
#include "compiler/report/sections.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace cnnc::report {

namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// "3x3", "all x 5": height and width of what an element depends on in the first input.
std::string format_field(const ReceptiveField &field) {
  auto axis = [](const AxisField &a) { return a.whole ? "all" : std::to_string(a.size); };
  return fmt::format("{} × {}", axis(field[0]), axis(field[1]));
}

/// What the graph says of its kernels.
class Groups {
public:
  explicit Groups(const Graph &graph)
      : graph_(graph), fields_(receptive_fields(graph)), members_(kernel_members(graph)),
        interfaces_(kernel_interfaces(graph)) {
    for (KernelId id = 0; id < graph.kernels.size(); ++id)
      ids_[graph.kernels[id].name] = id;
  }

  /// Adds to the facts of the kernel of that name, if the graph has it: a text may come with loops.
  void add_facts(const std::string &name, Json &facts) const {
    const auto found = ids_.find(name);
    if (found == ids_.end())
      return;
    const KernelInterface &interface = interfaces_[found->second];
    facts["inputs"] = values(interface.inputs);
    facts["outputs"] = values(interface.outputs);
    int64_t count = 0;
    for (NodeId member : members_[found->second])
      count += parameters(graph_, parameter_operands(graph_, graph_.nodes[member]));
    facts["parameters"] = count;
    if (!interface.outputs.empty() && fields_[interface.outputs.front()])
      facts["field"] = format_field(*fields_[interface.outputs.front()]);
  }

private:
  Json values(const std::vector<ValueId> &ids) const {
    Json list = Json::array();
    for (ValueId id : ids)
      list.push_back({{"name", graph_.value(id).name},
                      {"type", to_string(graph_.type(id))},
                      {"constant", graph_.is_constant(id)}});
    return list;
  }

  const Graph &graph_;
  std::vector<std::optional<ReceptiveField>> fields_;
  std::vector<std::vector<NodeId>> members_;
  std::vector<KernelInterface> interfaces_;
  std::map<std::string, KernelId> ids_;
};

/// What was measured, and what the estimate makes of the measured machine. It knows one core only.
void add_times(const Measurement &measured, size_t kernel,
               const KernelExplanation::ExpectedTime &expected, Json &facts) {
  const Profile &profile = measured.profile;
  facts["median"] = median(profile.kernels[kernel]);
  facts["least"] = std::ranges::min(profile.kernels[kernel]);
  if (measured.how.threads == 1)
    facts["expected"] = expected.seconds(median(profile.peaks), profile.bandwidth) *
                        static_cast<double>(measured.how.batch);
}

/// Bytes and operations are those of the images of the measured run.
Json machine_of(const Measurement &measured) {
  return {{"peak", median(measured.profile.peaks)}, {"bandwidth", measured.profile.bandwidth},
          {"threads", measured.how.threads},        {"batch", measured.how.batch},
          {"runs", measured.profile.runs.size()},   {"median", median(measured.profile.runs)}};
}

} // namespace

Json facts_section(const Compilation &compilation) {
  const Groups groups(compilation.planned);
  Json kernels = Json::array();
  for (size_t i = 0; i < compilation.kernels.size(); ++i) {
    const KernelExplanation &kernel = compilation.kernels[i];
    const KernelInfo &info = kernel.info;
    Json facts = {{"name", info.name},
                  {"ops", info.ops},
                  {"source", info.source},
                  {"algorithm", info.algorithm},
                  {"schedule", info.schedule},
                  {"tile", info.tile},
                  {"multiplications", info.multiplications},
                  {"products", info.products},
                  {"weightBytes", info.weight_bytes},
                  {"inputBytes", info.input_bytes},
                  {"outputBytes", info.output_bytes},
                  {"code", info.code},
                  {"codeBytes", compilation.texts[i].code_size},
                  {"expectedOperations", kernel.expected_operations},
                  {"memoryBound", kernel.memory_bound}};
    groups.add_facts(info.name, facts);
    if (compilation.measured)
      add_times(*compilation.measured, i, kernel.time, facts);
    kernels.push_back(std::move(facts));
  }
  return {{"kernels", std::move(kernels)},
          {"machine", compilation.measured ? machine_of(*compilation.measured) : Json()},
          {"operationsPerByte", 1 / compilation.machine.bytes_per_operation},
          {"codeBytes", compilation.code_size},
          {"weightBytes", compilation.program.description.weights_size},
          {"workspaceBytes", compilation.program.description.workspace_size}};
}

} // namespace cnnc::report
