#include "compiler/quantize/bias_inputs.h"

#include "compiler/pass/rewrite.h"

#include <algorithm>

namespace cnnc {

void add_bias_inputs(Graph &graph, const std::vector<std::string> &layers) {
  graph.outputs.clear();
  graph.updated.clear();
  graph.output_ranges.clear();
  for (const std::string &name : layers) {
    const ValueId result = *graph.find_value(name);
    const std::vector<int64_t> &type = graph.type(result).shape;
    std::vector<int64_t> shape(type.size() - 1, 1);
    shape[0] = type[1];
    const ValueId correction = graph.add_value(graph.unique_value_name("correct." + name),
                                               TensorType{DType::f32, shape, "", {}});
    graph.inputs.push_back(correction);
    const std::vector<NodeId> users = graph.value(result).users; // a copy: it changes
    const ValueId corrected = add_inferred(graph, Binary{binary::add}, {result, correction},
                                           graph.unique_value_name(name + ".corrected"));
    for (NodeId user : users) {
      std::vector<ValueId> operands = graph.nodes[user].operands;
      std::ranges::replace(operands, result, corrected);
      graph.set_operands(user, std::move(operands));
    }
    graph.outputs.push_back(corrected);
  }
  graph.sort();
  graph.erase_dead_nodes();
}

} // namespace cnnc
