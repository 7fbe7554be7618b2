#include "compiler/quantize/insert_quantization.h"

#include "compiler/pass/rewrite.h"
#include "compiler/quantize/quantize_filter.h"

#include <algorithm>
#include <map>

namespace cnnc {

ValueId add_round_trip(Graph &graph, const QuantizedValue &value) {
  const std::string name = graph.value(value.value).name;
  Quantize quantize;
  quantize.scale = static_cast<double>(value.scale.scale);
  quantize.zero_point = value.scale.zero_point;
  const ValueId integers =
      add_inferred(graph, quantize, {value.value}, graph.unique_value_name(name + ".q"));
  Dequantize dequantize;
  dequantize.scale = quantize.scale;
  dequantize.zero_point = quantize.zero_point;
  return add_inferred(graph, dequantize, {integers}, graph.unique_value_name(name + ".dq"));
}

ValueId add_quantized_filter(Graph &graph, ValueId filter, WeightStore &store) {
  const std::string name = graph.value(filter).name;
  const QuantizedFilter quantized =
      quantize_filter(store.find(std::get<Weight>(producer_of(graph, filter)->op).key));
  auto add_weight = [&](const std::string &suffix, const Tensor &tensor) {
    const std::string key = graph.unique_value_name(name + suffix);
    store.add(key, tensor);
    return graph.add_node(Weight{key}, {}, key, tensor.type());
  };
  const ValueId integers = add_weight(".q", quantized.integers);
  const ValueId scales = add_weight(".scales", quantized.scales);
  Dequantize dequantize;
  dequantize.axis = 0;
  return add_inferred(graph, dequantize, {integers, scales}, graph.unique_value_name(name + ".dq"));
}

void insert_quantization(Graph &graph, const std::vector<NodeId> &layers,
                         const std::vector<QuantizedValue> &values, WeightStore &store) {
  std::map<ValueId, ValueId> filters; // one filter may have several readers
  for (NodeId id : layers) {
    const ValueId filter = graph.nodes[id].operands[1];
    if (!filters.contains(filter))
      filters[filter] = add_quantized_filter(graph, filter, store);
    graph.set_operand(id, 1, filters[filter]);
  }
  for (const QuantizedValue &value : values) {
    const std::vector<NodeId> users = graph.value(value.value).users; // a copy: it changes
    const ValueId result = add_round_trip(graph, value);
    for (NodeId user : users) {
      std::vector<ValueId> operands = graph.nodes[user].operands;
      std::ranges::replace(operands, value.value, result);
      graph.set_operands(user, std::move(operands));
    }
  }
  graph.sort();
  graph.erase_dead_nodes();
}

} // namespace cnnc
