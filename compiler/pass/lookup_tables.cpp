#include "compiler/pass/lookup_tables.h"

#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <map>

namespace cnnc {

namespace {

class Lookups {
public:
  explicit Lookups(Graph &graph) : graph_(graph), sources_(graph.values.size()) {}

  void run() {
    for (ValueId input : graph_.inputs)
      start(input);
    for (NodeId id = 0, count = static_cast<NodeId>(graph_.nodes.size()); id < count; ++id) {
      follow(id);
      const Node &node = graph_.nodes[id];
      const ValueId result = node.results[0];
      const Source source = sources_[result];
      if (std::holds_alternative<Quantize>(node.op) && source.number != result && source.worthwhile)
        look_up(id, source.number);
      if (source.number == no_id)
        for (ValueId value : graph_.nodes[id].results)
          start(value);
    }
  }

private:
  /// The number of 8 bits that each element of a value is a function of, by element-wise ops of
  /// which at least one is worth a table.
  struct Source {
    ValueId number = no_id;
    bool worthwhile = false;
    int length = 0; // ops in a row
  };
  static constexpr int most_ops = 64;

  const TensorType &type(ValueId id) const { return graph_.type(id); }

  /// A value of 8 bits is a function of itself.
  void start(ValueId value) {
    const DType dtype = type(value).dtype;
    if ((dtype == DType::u8 || dtype == DType::i8) && !graph_.is_constant(value))
      sources_[value].number = value;
  }

  static bool is_member(const Node &node) {
    const bool scaled = is_one_of<Quantize, Dequantize>(node.op);
    return node.kernel == no_id &&
           (is_one_of<Unary, Binary, Lookup>(node.op) || (scaled && node.operands.size() == 1));
  }

  /// Whether a table takes less time, as far as this op goes.
  static bool is_costly(const Op &op) {
    if (const auto *unary = std::get_if<Unary>(&op))
      return unary->row != unary::relu && unary->row != unary::clip && unary->row != unary::neg &&
             unary->row != unary::abs;
    if (const auto *binary = std::get_if<Binary>(&op))
      return binary->row != binary::add && binary->row != binary::sub &&
             binary->row->name != "max" && binary->row->name != "min";
    return std::holds_alternative<Lookup>(op);
  }

  void follow(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (!is_member(node) || graph_.is_constant(node.results[0]))
      return;
    Source source;
    source.worthwhile = is_costly(node.op);
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const ValueId operand = node.operands[i];
      if (graph_.is_constant(operand)) {
        const bool table = i == 1 && std::holds_alternative<Lookup>(node.op);
        if (!table && element_count(type(operand).shape) != 1)
          return;
        continue;
      }
      const Source of_operand = sources_[operand];
      if (of_operand.number == no_id ||
          (source.number != no_id && source.number != of_operand.number))
        return;
      source.number = of_operand.number;
      source.worthwhile = source.worthwhile || of_operand.worthwhile;
      source.length = std::max(source.length, of_operand.length + 1);
    }
    if (source.number != no_id && source.length <= most_ops &&
        type(source.number).shape == type(node.results[0]).shape)
      sources_[node.results[0]] = source;
  }

  void look_up(NodeId id, ValueId number) {
    std::map<ValueId, ValueId> known = {{number, numbers(type(number).dtype)}};
    const ValueId table = tabulated(graph_.nodes[id].results[0], known);
    graph_.redefine(id, Lookup{}, {number, table});
  }

  /// All numbers of a type, in the order of a table.
  ValueId numbers(DType dtype) {
    ValueId &result = numbers_.try_emplace(dtype, no_id).first->second;
    if (result == no_id) {
      Literal literal;
      for (int64_t i = 0; i < Lookup::entries; ++i)
        literal.values.push_back(
            static_cast<double>(i > largest_of(dtype) ? i - Lookup::entries : i));
      result = graph_.add_node(std::move(literal), {}, graph_.unique_value_name("numbers"),
                               {dtype, {Lookup::entries}, "", {}});
    }
    return result;
  }

  /// The value, computed of all numbers.
  ValueId tabulated(ValueId value, std::map<ValueId, ValueId> &known) {
    if (const auto found = known.find(value); found != known.end())
      return found->second;
    if (graph_.is_constant(value)) // one element, or a table
      return type(value).rank() <= 1
                 ? value
                 : add_inferred(graph_, Reshape{{1}}, {value},
                                graph_.unique_value_name(graph_.value(value).name + ".number"));
    const Node node = *producer_of(graph_, value); // a copy: nodes are added
    std::vector<ValueId> operands;
    for (ValueId operand : node.operands)
      operands.push_back(tabulated(operand, known));
    const ValueId result =
        add_inferred(graph_, node.op, std::move(operands),
                     graph_.unique_value_name(graph_.value(value).name + ".table"));
    known[value] = result;
    return result;
  }

  Graph &graph_;
  std::vector<Source> sources_; // of the values there were
  std::map<DType, ValueId> numbers_;
};

} // namespace

void make_lookups(Graph &graph) {
  graph.sort();
  Lookups(graph).run();
  graph.sort();
  graph.erase_dead_nodes();
}

} // namespace cnnc
