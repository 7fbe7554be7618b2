#include "compiler/quantize/layer_switches.h"

#include "compiler/pass/rewrite.h"

#include <map>

namespace cnnc {

void add_layer_switches(Graph &graph, const std::vector<NodeId> &layers,
                        const std::vector<QuantizedValue> &values, WeightStore &store) {
  std::map<ValueId, ValueId> quantized;
  for (const QuantizedValue &value : values)
    quantized[value.value] = add_round_trip(graph, value);
  std::vector<ValueId> results;
  for (NodeId id : layers) {
    const ValueId result = graph.nodes[id].results[0], input = graph.nodes[id].operands[0],
                  filter = graph.nodes[id].operands[1];
    const std::string name = graph.value(result).name;
    const ValueId on = graph.add_value(graph.unique_value_name("quantize." + name),
                                       TensorType{DType::boolean, {}, "", {}});
    graph.inputs.push_back(on);
    const ValueId integers = add_quantized_filter(graph, filter, store);
    auto choose = [&](ValueId yes, ValueId no, const std::string &suffix) {
      return add_inferred(graph, Where{}, {on, yes, no}, graph.unique_value_name(name + suffix));
    };
    graph.set_operand(id, 0, choose(quantized.at(input), input, ".input"));
    graph.set_operand(id, 1, choose(integers, filter, ".filter"));
    results.push_back(result);
  }
  graph.updated.clear();
  graph.output_ranges.clear();
  graph.outputs.insert(graph.outputs.end(), results.begin(), results.end());
  graph.sort();
  graph.erase_dead_nodes();
}

} // namespace cnnc
