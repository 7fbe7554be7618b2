// What rewrites of quantised graphs ask and add.
#pragma once

#include "compiler/pass/rewrite.h"

namespace cnnc {

/// The base of a class that rewrites a graph. Ops inside of kernels stay as they are.
class QuantizedGraph {
protected:
  explicit QuantizedGraph(Graph &graph) : graph_(graph) {}

  const TensorType &type(ValueId id) const { return graph_.type(id); }
  const std::string &name(ValueId id) const { return graph_.value(id).name; }

  /// The op of a value, if it is a T outside of kernels.
  template <class T> const T *made_by(ValueId value) const {
    const Node *node = producer_of(graph_, value);
    return node && node->kernel == no_id ? std::get_if<T>(&node->op) : nullptr;
  }
  /// Its operand, as the value that was quantised.
  ValueId operand_of(ValueId value) const { return producer_of(graph_, value)->operands[0]; }

  /// A dequantize with one scale, of 8 bits; else null.
  const Dequantize *plain_dequantize(ValueId value) const {
    const auto *op = made_by<Dequantize>(value);
    const bool plain =
        op && is_plain(*producer_of(graph_, value)) && size_of(type(operand_of(value)).dtype) == 1;
    return plain ? op : nullptr;
  }
  static bool is_plain(const Node &node) { return node.operands.size() == 1; }

  ValueId splat(double value, TensorType of_type, const std::string &base) {
    return graph_.add_node(Splat{value}, {}, graph_.unique_value_name(base), std::move(of_type));
  }
  ValueId add(Op op, std::vector<ValueId> operands, const std::string &base) {
    return add_inferred(graph_, std::move(op), std::move(operands), graph_.unique_value_name(base));
  }

  Graph &graph_;
};

} // namespace cnnc
