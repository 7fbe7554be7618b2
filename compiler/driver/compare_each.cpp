#include "compiler/driver/compare_each.h"

#include "compiler/analysis/source_place.h"
#include "compiler/api/judge.h"
#include "compiler/api/return_values.h"
#include "compiler/driver/reference_tensors.h"
#include "compiler/driver/tensors.h"
#include "ir/graph/printer.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <map>
#include <set>

namespace cnnc::driver {

namespace {

std::string spell(ValueId id, const Graph &graph) {
  return "%" + format_name(graph.value(id).name);
}

/// One run of a model that returns all that is compared, each value beside its tensor.
class Comparison {
public:
  Comparison(const CommandLine &line, const ReferenceTensors &reference, const Graph &graph)
      : line_(line), reference_(reference), graph_(graph), budget_(line.options) {}

  Result<void> run(const Program &program) {
    const cnnc_model_v1 &table = program.table();
    if (Result<void> weights = budget_.take("the weights", table.weights_size); !weights)
      return weights;
    Result<Inputs> inputs = read_or_find_inputs(table);
    if (!inputs)
      return Error{std::string(inputs.error())};
    Result<std::vector<Bytes>> outputs = run_once(program, *inputs, line_.threads, budget_);
    if (!outputs)
      return Error{std::string(outputs.error())};
    std::cout << fmt::format("{:<40} {:<20} {:<24} {:>12} {:>12} {:>12}\n", "value", "op", "type",
                             "largest", "error", "relative");
    for (uint32_t i = 0; i < table.output_count; ++i)
      if (Result<void> compared = compare(i, table.outputs[i], (*outputs)[i], inputs->batch);
          !compared)
        return compared;
    return {};
  }

  bool all_agree() const { return first_ == no_id; }

  /// The first value that differs, with its op: the one that is wrong if its operands agree.
  void print_origin() const {
    const Node &node = graph_.nodes[graph_.value(first_).producer];
    std::cout << fmt::format("the first value that differs is {}, {}\n  {}\n",
                             spell(first_, graph_), source_place(node.range),
                             to_string(graph_, node));
    std::set<ValueId> told;
    for (ValueId operand : node.operands)
      if (!graph_.is_constant(operand) && told.insert(operand).second)
        std::cout << fmt::format("  its operand {} {}\n", spell(operand, graph_),
                                 describe(operand));
  }

  /// Tensors that are no value of the model.
  void print_ignored() const {
    constexpr size_t most_shown = 20;
    std::set<std::string> known;
    for (const Value &value : graph_.values)
      if (std::optional<std::string> name = reference_.find(value.name))
        known.insert(*name);
    std::vector<std::string> ignored = reference_.names();
    std::erase_if(ignored, [&](const std::string &name) { return known.contains(name); });
    if (ignored.empty())
      return;
    const std::span<const std::string> shown =
        std::span(ignored).first(std::min(ignored.size(), most_shown));
    std::cerr << fmt::format("ignored, since the model computes no values of these names: {}{}\n",
                             fmt::join(shown, ", "),
                             shown.size() < ignored.size()
                                 ? fmt::format(" and {} more", ignored.size() - shown.size())
                                 : "");
  }

private:
  Result<Inputs> read_or_find_inputs(const cnnc_model_v1 &table) {
    if (!line_.tensors.empty())
      return make_inputs(line_, table, budget_);
    Inputs inputs;
    std::optional<int64_t> batch;
    for (uint32_t i = 0; i < table.input_count; ++i) {
      const cnnc_tensor_v1 &input = table.inputs[i];
      const std::optional<std::string> name = reference_.find(input.name);
      if (!name)
        return Error{fmt::format("cnnc: error: the input %{} is not in '{}': add it there, or name "
                                 "the .npy files of all inputs behind the model",
                                 input.name, line_.reference)};
      Result<NpyArray> array = read(*name);
      if (!array)
        return Error{std::string(array.error())};
      Result<Bytes> tensor =
          take_tensor(std::move(*array), reference_.describe(*name), "input", input, batch);
      if (!tensor)
        return Error{std::string(tensor.error())};
      inputs.tensors.push_back(std::move(*tensor));
    }
    inputs.batch = batch.value_or(1);
    return inputs;
  }

  /// Counts what it takes for good.
  Result<NpyArray> read(const std::string &name) {
    if (Result<void> taken = budget_.take(reference_.describe(name), reference_.size_of(name));
        !taken)
      return Error{std::string(taken.error())};
    return reference_.read(name);
  }

  /// Prints a line.
  Result<void> compare(uint32_t index, const cnnc_tensor_v1 &tensor, const Bytes &computed,
                       int64_t batch) {
    const ValueId id = graph_.outputs[index];
    const std::string name = *reference_.find(graph_.value(id).name);
    const uint64_t bytes = 2 * size_as_numbers(tensor, batch);
    Result<void> taken = budget_.take("comparing " + spell(id, graph_), bytes);
    if (!taken)
      return taken;
    Result<NpyArray> array = read(name);
    if (!array)
      return Error{std::string(array.error())};
    const bool same = print(id, tensor, computed, *array, batch);
    budget_.give_back(bytes + reference_.size_of(name));
    if (!same && first_ == no_id)
      first_ = id;
    return {};
  }

  bool print(ValueId id, const cnnc_tensor_v1 &tensor, const Bytes &computed, const NpyArray &array,
             int64_t batch) {
    const Node &node = graph_.nodes[graph_.value(id).producer];
    std::cout << fmt::format("{:<40} {:<20} {:<24}", spell(id, graph_), info_of(node.op).name,
                             spell_type(tensor, batch));
    if (array.shape != shape_of(tensor, batch)) {
      std::cout << fmt::format("  DIFFERS: the other program has {}[{}]\n", array.dtype,
                               fmt::join(array.shape, ", "));
      return false;
    }
    const std::vector<double> ours = as_numbers(tensor, computed), theirs = as_numbers(array);
    const Difference d = difference(ours, theirs, line_.tolerance.value_or(compare_tolerance));
    const double relative = d.largest > 0 ? d.error / d.largest : d.error;
    relative_errors_[id] = relative;
    std::cout << fmt::format(" {:>12.4g} {:>12.3g} {:>12.3g}", d.largest, d.error, relative);
    if (d.wrong > 0)
      std::cout << fmt::format("  DIFFERS in {} of {} elements; the first is [{}]: {:.6g}, "
                               "expected {:.6g}",
                               d.wrong, theirs.size(), d.first, ours[d.first], theirs[d.first]);
    std::cout << "\n";
    return d.wrong == 0;
  }

  /// Of an operand of the first value that differs, which hence comes before that.
  std::string describe(ValueId operand) const {
    if (graph_.is_input(operand))
      return "is an input";
    auto compared = relative_errors_.find(operand);
    return compared == relative_errors_.end()
               ? "was not compared: there is no tensor of its name"
               : fmt::format("agrees, up to {:.3g} of its largest value", compared->second);
  }

  const CommandLine &line_;
  const ReferenceTensors &reference_;
  const Graph &graph_;
  Budget budget_;
  std::map<ValueId, double> relative_errors_; // of values that have the right shape
  ValueId first_ = no_id;
};

} // namespace

Result<bool> compare_each(const CommandLine &line, const Model &model) {
  Result<ReferenceTensors> reference = ReferenceTensors::open(line.reference);
  if (!reference)
    return Error{std::string(reference.error())};
  Result<Model> returning = return_values(
      model, [&](const std::string &name) { return reference->find(name).has_value(); },
      line.options);
  if (!returning)
    return Error{std::string(returning.error())};
  const Graph &graph = returning->content().module.models.front();
  const std::vector<std::string> names = reference->names();
  if (graph.outputs.empty())
    return Error{names.empty()
                     ? fmt::format("cnnc: error: no .npy files can be read in '{}'", line.reference)
                     : fmt::format("cnnc: error: none of the {} tensors in '{}' has the name of a "
                                   "value that the model computes; the first is '{}'",
                                   names.size(), line.reference, names.front())};
  Options options = line.options;
  options.model.clear(); // it has been chosen
  Result<Program> program = jit(*returning, options);
  if (!program)
    return Error{std::string(program.error())};
  Comparison comparison(line, *reference, graph);
  if (Result<void> ran = comparison.run(*program); !ran)
    return Error{std::string(ran.error())};
  comparison.print_ignored();
  if (!comparison.all_agree())
    comparison.print_origin();
  return comparison.all_agree();
}

} // namespace cnnc::driver
