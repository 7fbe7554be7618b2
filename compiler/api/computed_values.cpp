#include "compiler/api/computed_values.h"

#include "compiler/layout/tensor_layout.h"
#include "compiler/support/machine_memory.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Makes outputs of all values that depend on an input.
void return_all(Graph &graph) {
  graph.outputs.clear();
  graph.updated.clear();
  graph.output_ranges.clear();
  for (const Node &node : graph.nodes)
    for (ValueId result : node.results)
      if (!graph.is_constant(result))
        graph.outputs.push_back(result);
}

/// Only what the weights need: what is compiled here is another model, for this machine.
Options options_for(const Options &options) {
  Options result;
  result.weights = options.weights;
  result.jobs = options.jobs;
  result.max_memory = options.max_memory;
  return result;
}

/// All of them are in memory at once, and so they are when the interpreter has been at work.
Result<void> check_memory(const Graph &graph, const Options &options) {
  const uint64_t most = usable_memory(options.max_memory);
  uint64_t bytes = 0;
  for (ValueId id = 0; id < graph.values.size(); ++id)
    if (!graph.is_constant(id))
      bytes += static_cast<uint64_t>(
          byte_size(logical_type(one_image(graph.type(id)), 1)).value_or(int64_t(1) << 50));
  if (bytes <= most)
    return {};
  return Error{fmt::format("cnnc: error: all values of the model take {} bytes together, but {} "
                           "are the most (--max-memory)",
                           bytes, most)};
}

/// Outputs have no layouts: of a text that chooses some, the interpreter sees the values.
bool has_layouts(const Graph &graph) {
  return std::ranges::any_of(graph.values, [](const Value &value) {
    return value.type && value.type->layout != Layout{};
  });
}

Result<report::NamedValues> interpreted_values(const Model &model, const Graph &graph,
                                               const std::vector<Tensor> &inputs,
                                               const Options &options) {
  Diagnostics diagnostics;
  const std::optional<Constants> constants =
      open_constants(model.content(), graph, options, diagnostics);
  report::NamedValues values;
  for (size_t i = 0; i < inputs.size(); ++i)
    values.emplace(graph.value(graph.inputs[i]).name, inputs[i]);
  auto observe = [&](ValueId id, const Tensor &tensor) {
    values.insert_or_assign(graph.value(id).name, tensor);
  };
  if (!constants || !interpret(graph, inputs, constants->provider(graph), diagnostics, observe))
    return Error{diagnostics.to_string()};
  return values;
}

} // namespace

Result<report::NamedValues> computed_values(const Model &model, Graph graph,
                                            const std::vector<Tensor> &inputs,
                                            const Options &options) {
  if (Result<void> fits = check_memory(graph, options); !fits)
    return Error{std::string(fits.error())};
  if (has_layouts(graph))
    return interpreted_values(model, graph, inputs, options);
  return_all(graph);
  report::NamedValues values;
  std::vector<const void *> input_pointers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    values.emplace(graph.value(graph.inputs[i]).name, inputs[i]);
    input_pointers.push_back(inputs[i].bytes().data());
  }
  std::vector<Tensor> outputs;
  std::vector<void *> output_pointers;
  for (ValueId id : graph.outputs)
    outputs.emplace_back(logical_type(one_image(graph.type(id)), 1));
  for (Tensor &output : outputs)
    output_pointers.push_back(output.mutable_bytes().data());
  auto content = std::make_shared<Model::Content>(model.content());
  content->module.models = {graph};
  Result<Program> program = jit(Model(std::move(content)), options_for(options));
  if (!program)
    return Error{std::string(program.error())};
  if (Result<void> ran = program->run(input_pointers, output_pointers); !ran)
    return Error{std::string(ran.error())};
  for (size_t i = 0; i < outputs.size(); ++i)
    values.emplace(graph.value(graph.outputs[i]).name, std::move(outputs[i]));
  return values;
}

} // namespace cnnc
