// Pattern matching: finds ops that a text (or the exporter of a framework) spells with several.
//
//   %s = sigmoid %x                       %y = silu %x
//   %y = mul %x, %s                  =>   %n = layer_norm %y, %w ...
//   %m = reduce_mean %y axes=[2]
//   %d = sub %y, %m
//   %q = mul %d, %d
//   %v = reduce_mean %q axes=[2]
//   ...
//   %n = mul %z, %w
//
// Known are silu, hard_sigmoid, hard_swish, mish, gelu in both forms, layer_norm and
// depth_to_space. Ops that are left unread go as well. Members of kernels stay as they are.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

/// scale * the product of the factors.
struct Product {
  double scale = 1;
  std::vector<ValueId> factors;
};

/// Constants come rounded to f32, and exporters write 1/6 with a few digits.
bool near(double a, double b) { return std::abs(a - b) <= 1e-5 * std::abs(b); }

class Recognizer {
public:
  explicit Recognizer(Graph &graph) : graph_(graph) {}

  /// True when the op was replaced.
  bool rewrite(NodeId id) {
    id_ = id;
    if (node().kernel != no_id || node().results.size() != 1 || !plain(result()))
      return false;
    const Op &op = node().op;
    if (is(op, binary::mul))
      return activation() || scaled_norm();
    if (is(op, binary::div))
      return activation() || layer_norm();
    if (is(op, binary::add))
      return biased_norm();
    return std::holds_alternative<Reshape>(op) && depth_to_space();
  }

private:
  static constexpr size_t most_factors = 3;

  Node &node() { return graph_.nodes[id_]; }
  ValueId result() { return node().results[0]; }
  bool plain(ValueId value) { return graph_.type(value).layout.plain(); }
  const std::vector<int64_t> &shape(ValueId value) { return graph_.type(value).shape; }

  /// What computes a value, outside of the kernels, if it is the element-wise op of this row, or an
  /// op of this type; else null.
  template <class Row> const Node *op(ValueId value, const Row *row) {
    const Node *producer = producer_of(graph_, value);
    return producer && producer->kernel == no_id && is(producer->op, row) ? producer : nullptr;
  }
  template <class T> const Node *op(ValueId value) {
    const Node *producer = producer_of(graph_, value);
    bool found = producer && producer->kernel == no_id && std::holds_alternative<T>(producer->op);
    return found ? producer : nullptr;
  }

  static const UnaryParameters &parameters(const Node &node) {
    return std::get<Unary>(node.op).parameters;
  }

  std::optional<double> scalar(ValueId value) {
    const Node *producer = producer_of(graph_, value);
    if (!producer)
      return std::nullopt;
    if (const Splat *splat = std::get_if<Splat>(&producer->op))
      return splat->value;
    const Literal *literal = std::get_if<Literal>(&producer->op);
    return literal && literal->values.size() == 1 ? std::optional(literal->values[0])
                                                  : std::nullopt;
  }

  /// `value` plus or times a number: the value, and the number.
  std::optional<std::pair<ValueId, double>> with_scalar(const Node *binary) {
    if (!binary)
      return std::nullopt;
    for (size_t i : {0, 1})
      if (std::optional<double> number = scalar(binary->operands[1 - i]))
        return std::pair(binary->operands[i], *number);
    return std::nullopt;
  }

  /// The ways to write a value as a product, down to a depth.
  std::vector<Product> products(ValueId value, int depth = 3) {
    std::vector<Product> result = {{1, {value}}};
    if (depth == 0)
      return result;
    auto append = [&](ValueId from, double scale) {
      for (Product &product : products(from, depth - 1))
        result.push_back({product.scale * scale, std::move(product.factors)});
    };
    const Node *mul = op(value, binary::mul);
    if (auto scaled = with_scalar(mul)) {
      append(scaled->first, scaled->second);
    } else if (mul) {
      for (const Product &a : products(mul->operands[0], depth - 1))
        for (const Product &b : products(mul->operands[1], depth - 1))
          if (a.factors.size() + b.factors.size() <= most_factors) {
            Product both = a;
            both.scale *= b.scale;
            both.factors.insert(both.factors.end(), b.factors.begin(), b.factors.end());
            result.push_back(std::move(both));
          }
    } else if (const Node *div = op(value, binary::div)) {
      if (std::optional<double> divisor = scalar(div->operands[1]))
        append(div->operands[0], 1 / *divisor);
    }
    return result;
  }

  bool is_product(ValueId value, double scale, const std::vector<ValueId> &factors) {
    std::vector<Product> all = products(value);
    return std::any_of(all.begin(), all.end(), [&](const Product &product) {
      return near(product.scale, scale) && product.factors == factors;
    });
  }

  bool become(Op op, std::vector<ValueId> operands) {
    return cnnc::become(graph_, id_, std::move(op), std::move(operands));
  }

  bool activation() {
    for (const Product &product : products(result())) {
      const std::vector<ValueId> &factors = product.factors;
      if (factors.size() == 1 && near(product.scale, 1.0 / 6))
        if (std::optional<ValueId> x = of_relu6(factors[0]))
          return become(Unary{unary::hard_sigmoid, {1.0 / 6, 0.5}}, {*x});
      if (factors.size() == 2 && (gated(factors[0], factors[1], product.scale) ||
                                  gated(factors[1], factors[0], product.scale)))
        return true;
    }
    return false;
  }

  /// x of min(max(x + 3, 0), 6).
  std::optional<ValueId> of_relu6(ValueId value) {
    const Node *clip = op(value, unary::clip);
    if (!clip || parameters(*clip) != UnaryParameters{0, 6})
      return std::nullopt;
    auto sum = with_scalar(op(clip->operands[0], binary::add));
    return sum && sum->second == 3 ? std::optional(sum->first) : std::nullopt;
  }

  /// scale * x * gate(x).
  bool gated(ValueId x, ValueId gate, double scale) {
    if (near(scale, 1.0 / 6) && of_relu6(gate) == x)
      return become(Unary{unary::hard_swish}, {x});
    if (near(scale, 0.5))
      return of_gelu(x, gate);
    if (!near(scale, 1))
      return false;
    if (const Node *sigmoid = op(gate, unary::sigmoid); sigmoid && sigmoid->operands[0] == x)
      return become(Unary{unary::silu}, {x});
    const Node *hard = op(gate, unary::hard_sigmoid);
    if (hard && hard->operands[0] == x && near(parameters(*hard)[0], 1.0 / 6) &&
        parameters(*hard)[1] == 0.5)
      return become(Unary{unary::hard_swish}, {x});
    const Node *tanh = op(gate, unary::tanh);
    const Node *softplus = tanh ? op(tanh->operands[0], unary::softplus) : nullptr;
    return softplus && softplus->operands[0] == x && become(Unary{unary::mish}, {x});
  }

  /// gate = 1 + erf(x / sqrt(2)), or 1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)).
  bool of_gelu(ValueId x, ValueId gate) {
    auto sum = with_scalar(op(gate, binary::add));
    if (!sum || sum->second != 1)
      return false;
    if (const Node *erf = op(sum->first, unary::erf))
      return is_product(erf->operands[0], std::sqrt(0.5), {x}) && become(Unary{unary::gelu}, {x});
    const Node *tanh = op(sum->first, unary::tanh);
    if (!tanh)
      return false;
    for (const Product &product : products(tanh->operands[0])) {
      const Node *inner =
          product.factors.size() == 1 ? op(product.factors[0], binary::add) : nullptr;
      if (!inner || !near(product.scale, std::sqrt(2 / std::acos(-1.0))))
        continue;
      for (size_t i : {0, 1})
        if (inner->operands[i] == x && is_cube(inner->operands[1 - i], x))
          return become(Unary{unary::gelu_tanh}, {x});
    }
    return false;
  }

  /// 0.044715 * x^3
  bool is_cube(ValueId value, ValueId x) {
    for (const Product &product : products(value)) {
      if (!near(product.scale, 0.044715))
        continue;
      if (product.factors == std::vector<ValueId>{x, x, x})
        return true;
      const Node *pow = product.factors.size() == 1 ? op(product.factors[0], binary::pow) : nullptr;
      if (pow && pow->operands[0] == x && scalar(pow->operands[1]) == 3)
        return true;
    }
    return false;
  }

  /// x and the first axis of x - mean(x), over all axes from it on.
  struct Centered {
    ValueId x;
    size_t axis;
    bool operator==(const Centered &) const = default;
  };

  std::optional<size_t> trailing_axes(const Node *mean, size_t rank) {
    const ReduceMean *reduce = mean ? std::get_if<ReduceMean>(&mean->op) : nullptr;
    if (!reduce || !reduce->keep_dims || reduce->axes.empty())
      return std::nullopt;
    std::vector<size_t> axes;
    for (int64_t axis : reduce->axes)
      axes.push_back(normalized_axis(axis, rank).value_or(rank));
    std::sort(axes.begin(), axes.end());
    for (size_t i = 0; i < axes.size(); ++i)
      if (axes[i] != rank - axes.size() + i)
        return std::nullopt;
    return axes.front();
  }

  std::optional<Centered> centered(ValueId value) {
    const Node *sub = op(value, binary::sub);
    const Node *mean = sub ? op<ReduceMean>(sub->operands[1]) : nullptr;
    if (!mean || mean->operands[0] != sub->operands[0])
      return std::nullopt;
    std::optional<size_t> axis = trailing_axes(mean, shape(value).size());
    return axis ? std::optional(Centered{sub->operands[0], *axis}) : std::nullopt;
  }

  /// The value whose square this is.
  std::optional<ValueId> root_of(ValueId value) {
    if (const Node *mul = op(value, binary::mul); mul && mul->operands[0] == mul->operands[1])
      return mul->operands[0];
    const Node *pow = op(value, binary::pow);
    return pow && scalar(pow->operands[1]) == 2 ? std::optional(pow->operands[0]) : std::nullopt;
  }

  /// (x - mean) / sqrt(mean of (x - mean)^2 + epsilon)
  bool layer_norm() {
    std::optional<Centered> numerator = centered(node().operands[0]);
    const Node *sqrt = op(node().operands[1], unary::sqrt);
    auto sum = with_scalar(sqrt ? op(sqrt->operands[0], binary::add) : nullptr);
    const Node *variance = sum ? op<ReduceMean>(sum->first) : nullptr;
    std::optional<ValueId> difference = variance ? root_of(variance->operands[0]) : std::nullopt;
    if (!numerator || !difference || centered(*difference) != numerator ||
        trailing_axes(variance, shape(result()).size()) != numerator->axis)
      return false;
    return become(LayerNorm{static_cast<int64_t>(numerator->axis) -
                                static_cast<int64_t>(shape(result()).size()),
                            sum->second},
                  {numerator->x});
  }

  /// A layer_norm that only this op reads, and the other operand, of the shape that the norm goes
  /// over.
  bool absorb_into_norm(size_t operands) {
    for (size_t i : {0, 1}) {
      ValueId value = node().operands[i], other = node().operands[1 - i];
      const Node *norm = op<LayerNorm>(value);
      if (!norm || norm->operands.size() != operands || single_user(graph_, value) != id_)
        continue;
      std::optional<size_t> first =
          normalized_axis(std::get<LayerNorm>(norm->op).axis, shape(value).size());
      bool fits = first && std::equal(shape(value).begin() + static_cast<std::ptrdiff_t>(*first),
                                      shape(value).end(), shape(other).begin(), shape(other).end());
      if (!fits)
        continue;
      std::vector<ValueId> all = norm->operands;
      all.push_back(other);
      return become(norm->op, all);
    }
    return false;
  }

  bool scaled_norm() { return absorb_into_norm(1); }
  bool biased_norm() { return absorb_into_norm(2); }

  /// [n, c, r, s, h, w] (crd) or [n, r, s, c, h, w] (dcr) with the blocks moved behind h and w.
  bool depth_to_space() {
    const Node *transpose = op<Transpose>(node().operands[0]);
    const Node *split = transpose ? op<Reshape>(transpose->operands[0]) : nullptr;
    if (!split || !plain(split->operands[0]) || shape(split->operands[0]).size() != 4)
      return false;
    const std::vector<int64_t> &permutation = std::get<Transpose>(transpose->op).permutation;
    const std::vector<int64_t> &x = shape(split->operands[0]), &parts = shape(split->results[0]);
    bool crd = permutation == std::vector<int64_t>{0, 1, 4, 2, 5, 3};
    bool dcr = permutation == std::vector<int64_t>{0, 3, 4, 1, 5, 2};
    if (parts.size() != 6 || !(crd || dcr) || parts[0] != x[0] || parts[4] != x[2] ||
        parts[5] != x[3])
      return false;
    int64_t rows = parts[crd ? 2 : 1], columns = parts[crd ? 3 : 2];
    return become(DepthToSpace{{rows, columns}, crd ? DepthOrder::crd : DepthOrder::dcr},
                  {split->operands[0]});
  }

  Graph &graph_;
  NodeId id_ = 0;
};

} // namespace

bool recognize_ops(Graph &graph, PassContext &) {
  Recognizer recognizer(graph);
  rewrite_until_unchanged(graph, [&](NodeId id) { return recognizer.rewrite(id); });
  return true;
}

} // namespace cnnc
