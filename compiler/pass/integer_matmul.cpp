#include "compiler/pass/integer_matmul.h"

#include "compiler/pass/rewrite.h"

#include <cmath>

namespace cnnc {

namespace {

/// Products of two numbers of 8 bits in a sum that 31 bits hold.
constexpr int64_t most_products = ((int64_t(1) << 31) - 1) / (255 * 255);

/// A matrix of integers, and what they stand for.
struct Numbers {
  ValueId integers = no_id;
  ValueId scales = no_id; // of its columns; no_id: `scale` for all
  float scale = 1;
  int64_t zero_point = 0;
};

class IntegerMatmul {
public:
  IntegerMatmul(Graph &graph, NodeId id)
      : graph_(graph), id_(id), base_(graph.value(graph.nodes[id].results[0]).name) {}

  std::string run() {
    const std::optional<Numbers> a = numbers(0), b = numbers(1);
    if (!a || !b)
      return "not both of its operands are quantised, in 8 bits and without zero points along an "
             "axis";
    a_ = *a, b_ = *b;
    const std::vector<int64_t> &columns = type(b_.integers).shape;
    length_ = columns[columns.size() - 2];
    if (a_.scales != no_id)
      return "its left operand has several scales";
    if (b_.scales != no_id && b_.zero_point != 0)
      return "its right operand has several scales and a zero point";
    if (length_ >= most_products)
      return "32 bits do not hold sums of so many products";
    if (b_.scales == no_id && !std::isnormal(a_.scale * b_.scale))
      return "f32 does not hold the product of its scales";
    make_right_signed();
    rewrite();
    return "";
  }

private:
  const TensorType &type(ValueId id) const { return graph_.type(id); }
  bool is_u8(ValueId id) const { return type(id).dtype == DType::u8; }
  std::string name(const char *part) { return graph_.unique_value_name(base_ + "." + part); }
  ValueId add(Op op, std::vector<ValueId> operands, const char *part) {
    return add_inferred(graph_, std::move(op), std::move(operands), name(part));
  }

  std::optional<Numbers> numbers(size_t operand) const {
    const ValueId value = graph_.nodes[id_].operands[operand];
    const Node *node = producer_of(graph_, value);
    const auto *op = node && node->kernel == no_id ? std::get_if<Dequantize>(&node->op) : nullptr;
    if (!op || size_of(type(node->operands[0]).dtype) != 1 || node->operands.size() > 2)
      return std::nullopt;
    const bool of_axis = node->operands.size() > 1;
    if (of_axis && *normalized_axis(op->axis, type(value).rank()) + 1 != type(value).rank())
      return std::nullopt;
    return Numbers{node->operands[0], of_axis ? node->operands[1] : no_id,
                   static_cast<float>(op->scale), op->zero_point};
  }

  /// u8 on the right becomes i8: 128 less, in the zero point, too.
  void make_right_signed() {
    if (!is_u8(a_.integers) || !is_u8(b_.integers) || a_.integers == b_.integers)
      return;
    if (graph_.is_constant(b_.integers)) {
      const TensorType number = {DType::f32, {}, "", {}};
      const ValueId floats = add(Cast{CastType::f32}, {b_.integers}, "floats");
      const ValueId middle = graph_.add_node(Splat{128}, {}, name("middle"), number);
      const ValueId centred = add(Binary{binary::sub}, {floats, middle}, "centred");
      b_.integers = add(Cast{CastType::i8}, {centred}, "i8");
    } else if (!requantize_right()) {
      return;
    }
    b_.zero_point -= 128;
  }

  /// Lets a quantize that nobody else reads, behind any moves, make i8.
  bool requantize_right() {
    std::vector<ValueId> moved = {b_.integers};
    const Node *node = producer_of(graph_, moved.back());
    auto alone = [&](ValueId value) {
      return node && node->kernel == no_id && single_user(graph_, value).has_value();
    };
    while (alone(moved.back()) &&
           is_one_of<Reshape, Flatten, Transpose, DepthToSpace, SpaceToDepth, Slice>(node->op)) {
      moved.push_back(node->operands[0]);
      node = producer_of(graph_, moved.back());
    }
    if (!alone(moved.back()) || !std::holds_alternative<Quantize>(node->op) ||
        node->operands.size() > 1)
      return false;
    auto &quantize = std::get<Quantize>(graph_.nodes[graph_.value(moved.back()).producer].op);
    quantize.to = QuantizedType::i8;
    quantize.zero_point -= 128;
    for (ValueId value : moved)
      graph_.value(value).type->dtype = DType::i8;
    // What the product reads no more, unless the graph is left as it is.
    auto &dequantize =
        std::get<Dequantize>(graph_.nodes[graph_.value(graph_.nodes[id_].operands[1]).producer].op);
    dequantize.zero_point -= 128;
    return true;
  }

  /// A matrix of equal integers, of the type of another one.
  ValueId filled(int64_t number, DType dtype, std::vector<int64_t> shape, const char *part) {
    return graph_.add_node(Splat{static_cast<double>(number)}, {}, name(part),
                           {dtype, std::move(shape), "", {}});
  }

  void rewrite() {
    const ValueId sums = add(Matmul{}, {a_.integers, b_.integers}, "sums");
    std::vector<ValueId> scales;
    Dequantize op;
    op.axis = -1;
    if (b_.scales != no_id) {
      const ValueId scale = graph_.add_node(Splat{static_cast<double>(a_.scale)}, {},
                                            name("left_scale"), {DType::f32, {}, "", {}});
      scales.push_back(add(Binary{binary::mul}, {b_.scales, scale}, "scales"));
    } else {
      op.axis = 1;
      op.scale = static_cast<double>(a_.scale * b_.scale);
    }
    ValueId columns = no_id, rows = no_id;
    if (a_.zero_point != 0)
      columns =
          add(Matmul{},
              {filled(a_.zero_point, type(a_.integers).dtype, {1, length_}, "left"), b_.integers},
              "columns");
    if (b_.zero_point != 0)
      rows =
          add(Matmul{},
              {a_.integers, filled(b_.zero_point, type(b_.integers).dtype, {length_, 1}, "right")},
              "rows");
    const bool constant_columns = columns != no_id && graph_.is_constant(columns) &&
                                  element_count(type(columns).shape) == type(columns).shape.back();
    if (constant_columns) {
      op.axis = -1;
      if (scales.empty())
        scales.push_back(graph_.add_node(Splat{op.scale}, {}, name("scales"),
                                         {DType::f32, {type(columns).shape.back()}, "", {}}));
      op.scale = 1;
      scales.push_back(add(Reshape{{type(columns).shape.back()}}, {columns}, "zero_points"));
    }
    auto scaled = [&](ValueId integers) {
      std::vector<ValueId> operands = scales;
      operands.insert(operands.begin(), integers);
      return operands;
    };
    const bool more = rows != no_id || (columns != no_id && !constant_columns);
    if (!more)
      return graph_.redefine(id_, op, scaled(sums));
    ValueId result = add(op, scaled(sums), "products");
    if (columns != no_id && !constant_columns) {
      const ValueId part = add(op, scaled(columns), "columns.scaled");
      if (rows == no_id)
        return graph_.redefine(id_, Binary{binary::sub}, {result, part});
      result = add(Binary{binary::sub}, {result, part}, "centred");
    }
    Dequantize of_rows;
    of_rows.scale = static_cast<double>(a_.scale * b_.scale);
    of_rows.zero_point = length_ * a_.zero_point * b_.zero_point;
    const ValueId part = add(of_rows, {rows}, "rows.scaled");
    graph_.redefine(id_, Binary{binary::sub}, {result, part});
  }

  Graph &graph_;
  NodeId id_;
  std::string base_;
  Numbers a_, b_;
  int64_t length_ = 0; // of the sums
};

} // namespace

std::string make_integer_matmul(Graph &graph, NodeId id) { return IntegerMatmul(graph, id).run(); }

} // namespace cnnc
