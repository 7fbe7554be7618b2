// Flattens batched products of matrices that share their right operand into one product.
//
//   %y = matmul %x, %w : f32[7, 7, 384]        %y.rows = reshape %x shape=[49, 96]
//   %z = add %y, %bias                    =>   %y.flat = matmul %y.rows, %w : f32[49, 384]
//                                              %z.flat = add %y.flat, %bias
//                                              %z = reshape %z.flat shape=[7, 7, 384]
//
// Register tiles then hold rows of several matrices, and the weights are read once for all of them:
// of [50, 1, 768], as attention over a sequence spells it, every matrix is a single row.
// Element-wise ops that follow move before the reshape, where they fuse with the product. A
// symbolic batch stays a dimension of its own.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <numeric>

namespace cnnc {

namespace {

class Flattener {
public:
  explicit Flattener(Graph &graph) : graph_(graph) {}

  /// True when the product was rewritten.
  bool flatten(NodeId id) {
    const Node &product = graph_.nodes[id];
    if (!std::holds_alternative<Matmul>(product.op) || product.kernel != no_id)
      return false;
    const TensorType &result = graph_.type(product.results[0]);
    std::optional<std::vector<int64_t>> shape =
        flat_shape(graph_.type(product.operands[0]), graph_.type(product.operands[1]), result);
    if (!shape)
      return false;
    ValueId rows =
        reshaped(product.operands[0], with_columns(*shape, graph_.type(product.operands[0])),
                 name_of(product.results[0]) + ".rows");
    ValueId matrix = product.operands[1];
    if (graph_.type(matrix).rank() > 2) {
      const std::vector<int64_t> &stack = graph_.type(matrix).shape;
      matrix = add_inferred(graph_, Reshape{{stack[stack.size() - 2], stack.back()}}, {matrix},
                            unique(name_of(matrix) + ".matrix"));
    }
    ValueId flat = add_inferred(graph_, Matmul{}, {rows, matrix},
                                unique(name_of(product.results[0]) + ".flat"));
    ValueId last = product.results[0];
    while (std::optional<NodeId> user = single_user(graph_, last)) {
      std::optional<ValueId> moved = moved_before(*user, last, flat);
      if (!moved)
        break;
      flat = *moved;
      last = graph_.nodes[*user].results[0];
    }
    ValueId back = add_inferred(graph_, reshape_to(graph_.type(last)), {flat},
                                unique(name_of(last) + ".back"));
    return replace_value(graph_, last, back);
  }

private:
  std::string name_of(ValueId value) const { return graph_.values[value].name; }
  std::string unique(const std::string &name) { return graph_.unique_value_name(name); }

  /// The result as one matrix, or one for each image of a symbolic batch; empty where it is that
  /// already, or the right operand is not the same for all rows.
  static std::optional<std::vector<int64_t>> flat_shape(const TensorType &a, const TensorType &b,
                                                        const TensorType &result) {
    const size_t kept = result.has_symbolic_batch() ? 1 : 0, rank = result.rank();
    const bool shared =
        std::all_of(b.shape.begin(), b.shape.end() - 2, [](int64_t dim) { return dim == 1; });
    if (!shared || a.rank() != rank || rank < 3 || rank - kept < 3 ||
        result.shape[rank - 1] == symbolic_dim || element_count(result.shape).value_or(1) == 0)
      return std::nullopt;
    std::vector<int64_t> shape(result.shape.begin(),
                               result.shape.begin() + static_cast<std::ptrdiff_t>(kept));
    shape.push_back(std::accumulate(result.shape.begin() + static_cast<std::ptrdiff_t>(kept),
                                    result.shape.end() - 1, int64_t(1), std::multiplies<>()));
    shape.push_back(result.shape.back());
    return shape;
  }

  /// `flat` with the last dimension of a type.
  static TensorType with_columns(std::vector<int64_t> flat, TensorType type) {
    flat.back() = type.shape.back();
    type.shape = std::move(flat);
    return type;
  }

  ValueId reshaped(ValueId value, const TensorType &type, const std::string &name) {
    return add_inferred(graph_, reshape_to(type), {value}, unique(name));
  }

  /// The op `user` of `value` as an op of `flat`, which has the same elements as `value`; empty if
  /// it is no element-wise op or its other operand does not fit the rows.
  std::optional<ValueId> moved_before(NodeId user, ValueId value, ValueId flat) {
    const Node &node = graph_.nodes[user];
    const std::string name = unique(name_of(node.results[0]) + ".flat");
    if (node.kernel != no_id || !graph_.type(node.results[0]).layout.plain())
      return std::nullopt;
    if (std::holds_alternative<Unary>(node.op))
      return add_inferred(graph_, node.op, {flat}, name);
    if (!std::holds_alternative<Binary>(node.op) ||
        graph_.type(node.results[0]).shape != graph_.type(value).shape)
      return std::nullopt;
    const size_t place = node.operands[0] == value ? 0 : 1;
    std::optional<ValueId> other = fitted(node.operands[1 - place], value, flat);
    if (!other)
      return std::nullopt;
    return add_inferred(
        graph_, node.op,
        place == 0 ? std::vector<ValueId>{flat, *other} : std::vector<ValueId>{*other, flat}, name);
  }

  /// The other operand of a binary op, for rows: one value for all elements or for each column, or
  /// as many elements as there are.
  std::optional<ValueId> fitted(ValueId other, ValueId value, ValueId flat) {
    const TensorType &type = graph_.type(other), &whole = graph_.type(value);
    if (other == value)
      return flat;
    if (type.rank() <= 1)
      return other;
    if (type.shape == whole.shape)
      return reshaped(other, with_columns(graph_.type(flat).shape, type), name_of(other) + ".rows");
    const bool columns =
        std::all_of(type.shape.begin(), type.shape.end() - 1, [](int64_t dim) { return dim == 1; });
    if (!columns)
      return std::nullopt;
    return add_inferred(graph_, Reshape{{type.shape.back()}}, {other},
                        unique(name_of(other) + ".columns"));
  }

  Graph &graph_;
};

} // namespace

bool flatten_matmul(Graph &graph, PassContext &) {
  Flattener flattener(graph);
  bool changed = false;
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id)
    changed = flattener.flatten(id) || changed;
  if (changed) {
    graph.sort();
    graph.erase_dead_nodes();
  }
  return true;
}

} // namespace cnnc
