// Folds that compute with elements.
#include "compiler/onnx/import/fold.h"
#include "compiler/onnx/import/ops.h"
#include "ir/graph/ops/infer_context.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

bool fail_marker(OnnxNode &node) {
  return node.fail(fmt::format("it computes with the size of the batch, which is symbolic: {}",
                               node.importer().advice_to_fix_batch()));
}

/// Whether the type has this number. The smallest one of i64 stands for the batch.
bool holds(DType dtype, int64_t number) {
  return number != batch_marker && number >= least_of(dtype) && number <= largest_of(dtype);
}

/// Towards zero; empty when it overflows, as 1 / 0 does.
std::optional<int64_t> integer_power(int64_t base, int64_t exponent) {
  if (base == 0 && exponent < 0)
    return std::nullopt;
  if (base == 1 || (base == -1 && exponent % 2 == 0) || exponent == 0)
    return 1;
  if (base == 0 || base == -1)
    return base;
  std::optional<int64_t> result = exponent < 0 ? 0 : 1;
  for (int64_t i = 0; result && i < exponent; ++i) // 63 times at most
    result = checked_mul(*result, base);
  return result;
}

/// One step of integer arithmetic; empty when it has no result.
std::optional<int64_t> integer_step(std::string_view op, int64_t a, int64_t b, bool c_remainder) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "Add")
    overflow = __builtin_add_overflow(a, b, &result);
  else if (op == "Sub")
    overflow = __builtin_sub_overflow(a, b, &result);
  else if (op == "Mul")
    overflow = __builtin_mul_overflow(a, b, &result);
  else if (op == "Min")
    result = std::min(a, b);
  else if (op == "Max")
    result = std::max(a, b);
  else if (op == "Pow")
    return integer_power(a, b);
  else if (b == 0 || (b == -1 && a == std::numeric_limits<int64_t>::min()))
    overflow = true;
  else if (op == "Div")
    result = a / b;
  else { // Mod: the sign of b, or that of a
    result = a % b;
    if (!c_remainder && result != 0 && (result < 0) != (b < 0))
      result += b;
  }
  return overflow ? std::nullopt : std::optional(result);
}

float float_step(std::string_view op, float a, float b) {
  if (op == "Add")
    return a + b;
  if (op == "Sub")
    return a - b;
  if (op == "Mul")
    return a * b;
  if (op == "Div")
    return a / b;
  if (op == "Min")
    return std::min(a, b);
  if (op == "Max")
    return std::max(a, b);
  return op == "Pow" ? std::pow(a, b) : std::fmod(a, b);
}

/// The batch times 1, or plus 0, is still the batch.
bool keeps_marker(std::string_view op, int64_t a, int64_t b) {
  if (a == batch_marker && b == batch_marker)
    return op == "Min" || op == "Max";
  if (op == "Mul" && (a == 1 || b == 1))
    return true;
  if (op == "Add" && (a == 0 || b == 0))
    return true;
  return a == batch_marker && ((op == "Div" && b == 1) || (op == "Sub" && b == 0));
}

/// The two operands, each with as many elements as the result.
struct Pair {
  std::vector<int64_t> shape;
  FixedTensor a, b;
};

std::optional<Pair> broadcast_pair(OnnxNode &node, const FixedTensor &a, const FixedTensor &b) {
  std::optional<std::vector<int64_t>> shape = broadcast(a.shape, b.shape);
  if (!shape) {
    node.fail(fmt::format("the shapes {} and {} do not broadcast", to_string(a.shape),
                          to_string(b.shape)));
    return std::nullopt;
  }
  if (!folded_count(node, *shape))
    return std::nullopt;
  return Pair{*shape, picked(a, *shape, broadcast_positions(a.shape, *shape)),
              picked(b, *shape, broadcast_positions(b.shape, *shape))};
}

std::optional<FixedTensor> computed(OnnxNode &node, const FixedTensor &first,
                                    const FixedTensor &second, bool c_remainder) {
  std::optional<Pair> pair = broadcast_pair(node, first, second);
  if (!pair)
    return std::nullopt;
  size_t count = pair->a.count();
  FixedTensor result = pair->a;
  if (first.is_float()) {
    for (size_t i = 0; i < count; ++i)
      result.floats()[i] = float_step(node.op(), pair->a.floats()[i], pair->b.floats()[i]);
    return result;
  }
  for (size_t i = 0; i < count; ++i) {
    int64_t a = pair->a.ints()[i], b = pair->b.ints()[i];
    if (a == batch_marker || b == batch_marker) {
      if (!keeps_marker(node.op(), a, b)) {
        fail_marker(node);
        return std::nullopt;
      }
      result.ints()[i] = batch_marker;
      continue;
    }
    std::optional<int64_t> step = integer_step(node.op(), a, b, c_remainder);
    if (!step || !holds(result.dtype, *step)) {
      node.fail(fmt::format("{} of the integers {} and {} has no result of type {}", node.op(), a,
                            b, name_of(result.dtype)));
      return std::nullopt;
    }
    result.ints()[i] = *step;
  }
  return result;
}

/// Add, Sub, Mul, Div, Mod, Pow, and Min, Max of several.
Folded fold_arithmetic(OnnxNode &node) {
  if (node.opset() < 7)
    return Folded::declined(); // with attributes that say how to broadcast
  for (size_t i = 1; i < node.input_count(); ++i)
    if (node.fixed(i)->is_float() != node.fixed(0)->is_float())
      return Folded::declined(); // powers of integers may have exponents of floats
  bool c_remainder = node.op() == "Mod" && node.integer("fmod", 0) != 0;
  std::optional<FixedTensor> result = *node.fixed(0);
  for (size_t i = 1; result && i < node.input_count(); ++i)
    result = computed(node, *result, *node.fixed(i), c_remainder);
  return result ? Folded::one(std::move(*result)) : Folded::error(false);
}

/// Of the batch only this is known: it is at least 1.
std::optional<bool> compare(std::string_view op, double a, double b, bool a_batch, bool b_batch) {
  if (a_batch && b_batch)
    return op == "Equal" || op == "LessOrEqual" || op == "GreaterOrEqual";
  if ((a_batch && b >= 1) || (b_batch && a >= 1))
    return std::nullopt;
  if (a_batch || b_batch) {
    bool a_larger = a_batch;
    return op != "Equal" && a_larger == op.starts_with("Greater");
  }
  if (op == "Equal")
    return a == b;
  if (op == "Less")
    return a < b;
  if (op == "LessOrEqual")
    return a <= b;
  return op == "Greater" ? a > b : a >= b;
}

Folded fold_comparison(OnnxNode &node) {
  if (node.opset() < 7)
    return Folded::declined();
  std::optional<Pair> pair = broadcast_pair(node, *node.fixed(0), *node.fixed(1));
  if (!pair)
    return Folded::error(false);
  auto is_marker = [](const FixedTensor &tensor, size_t i) {
    return !tensor.is_float() && tensor.ints()[i] == batch_marker;
  };
  std::vector<int64_t> bits;
  for (size_t i = 0; i < pair->a.count(); ++i) {
    std::optional<bool> bit = compare(node.op(), pair->a.number(i), pair->b.number(i),
                                      is_marker(pair->a, i), is_marker(pair->b, i));
    if (!bit)
      return Folded::error(fail_marker(node));
    bits.push_back(*bit);
  }
  return Folded::one({DType::boolean, pair->shape, std::move(bits)});
}

Folded fold_logic(OnnxNode &node) {
  if (node.opset() < 7 || node.type(0).dtype != DType::boolean ||
      node.type(1).dtype != DType::boolean)
    return Folded::declined();
  std::optional<Pair> pair = broadcast_pair(node, *node.fixed(0), *node.fixed(1));
  if (!pair)
    return Folded::error(false);
  std::vector<int64_t> bits;
  for (size_t i = 0; i < pair->a.count(); ++i) {
    bool a = pair->a.ints()[i] != 0, b = pair->b.ints()[i] != 0;
    bits.push_back(node.op() == "And" ? a && b : node.op() == "Or" ? a || b : a != b);
  }
  return Folded::one({DType::boolean, pair->shape, std::move(bits)});
}

float float_function(std::string_view op, float x) {
  if (op == "Neg")
    return -x;
  if (op == "Abs")
    return std::abs(x);
  if (op == "Floor")
    return std::floor(x);
  if (op == "Ceil")
    return std::ceil(x);
  if (op == "Round")
    return std::nearbyint(x);
  if (op == "Sqrt")
    return std::sqrt(x);
  if (op == "Exp")
    return std::exp(x);
  if (op == "Log")
    return std::log(x);
  return 1 / x; // Reciprocal
}

Folded fold_function(OnnxNode &node) {
  FixedTensor result = *node.fixed(0);
  if (result.has_marker())
    return Folded::error(fail_marker(node));
  if (result.is_float()) {
    for (float &element : result.floats())
      element = float_function(node.op(), element);
    return Folded::one(std::move(result));
  }
  if (node.op() != "Neg" && node.op() != "Abs")
    return Folded::declined();
  for (int64_t &element : result.ints()) {
    int64_t negated = -element; // is no marker
    if ((node.op() == "Neg" || element < 0) && !holds(result.dtype, negated))
      return Folded::error(node.fail(fmt::format("{} of {} has no result of type {}", node.op(),
                                                 element, name_of(result.dtype))));
    element = node.op() == "Neg" || element < 0 ? negated : element;
  }
  return Folded::one(std::move(result));
}

Folded fold_not(OnnxNode &node) {
  FixedTensor result = *node.fixed(0);
  if (result.dtype != DType::boolean)
    return Folded::declined();
  for (int64_t &element : result.ints())
    element = element == 0;
  return Folded::one(std::move(result));
}

int64_t converted(double number, DType to) {
  if (to == DType::boolean)
    return number != 0;
  if (std::isnan(number))
    return 0;
  constexpr double largest = 9223372036854774784.0; // below 2^63
  double low = to == DType::i64 ? -largest : static_cast<double>(least_of(to));
  double high = to == DType::i64 ? largest : static_cast<double>(largest_of(to));
  return static_cast<int64_t>(std::clamp(std::trunc(number), low, high));
}

Folded fold_cast(OnnxNode &node) {
  std::optional<DType> to = read_type(node, "to");
  const FixedTensor &from = *node.fixed(0);
  if (!to)
    return Folded::error(false);
  if (from.has_marker() && (*to == DType::i32 || *to == DType::i64)) {
    FixedTensor result = from;
    result.dtype = *to;
    return Folded::one(std::move(result));
  }
  if (from.has_marker())
    return Folded::error(fail_marker(node));
  FixedTensor result{*to, from.shape, {}};
  std::vector<float> floats;
  std::vector<int64_t> integers;
  for (size_t i = 0; i < from.count(); ++i) {
    if (*to == DType::f32)
      floats.push_back(static_cast<float>(from.number(i)));
    else
      integers.push_back(from.is_float() || *to != DType::i64 ? converted(from.number(i), *to)
                                                              : from.ints()[i]);
  }
  if (*to == DType::f32)
    result.elements = std::move(floats);
  else
    result.elements = std::move(integers);
  return Folded::one(std::move(result));
}

/// Elements of a range; infinite when delta is 0.
double range_count(float start, float limit, float delta) {
  double distance = static_cast<double>(limit) - static_cast<double>(start);
  return delta == 0 ? INFINITY : std::ceil(distance / static_cast<double>(delta));
}
double range_count(int64_t start, int64_t limit, int64_t delta) {
  if (delta == 0 || (delta > 0 ? start >= limit : start <= limit))
    return delta == 0 ? INFINITY : 0;
  // Without overflow in unsigned numbers.
  auto from = static_cast<uint64_t>(start), to = static_cast<uint64_t>(limit),
       step = static_cast<uint64_t>(delta);
  uint64_t distance = delta > 0 ? to - from : from - to, size = delta > 0 ? step : -step;
  return static_cast<double>(distance / size + (distance % size != 0));
}

float range_element(float start, int64_t index, float delta) {
  return start + static_cast<float>(index) * delta;
}
int64_t range_element(int64_t start, int64_t index, int64_t delta) {
  // The product may overflow where the sum does not.
  return static_cast<int64_t>(static_cast<uint64_t>(start) +
                              static_cast<uint64_t>(index) * static_cast<uint64_t>(delta));
}

template <class T> Folded range(OnnxNode &node, T start, T limit, T delta) {
  double count = range_count(start, limit, delta);
  if (std::isnan(count) || count > static_cast<double>(most_folded))
    return Folded::error(
        node.fail(fmt::format("a range from {} to {} in steps of {} has more than {} elements",
                              start, limit, delta, most_folded)));
  std::vector<T> elements;
  for (int64_t i = 0; static_cast<double>(i) < count; ++i)
    elements.push_back(range_element(start, i, delta));
  auto size = static_cast<int64_t>(elements.size());
  return Folded::one({node.fixed(0)->dtype, {size}, std::move(elements)});
}

Folded fold_range(OnnxNode &node) {
  const FixedTensor &start = *node.fixed(0), &limit = *node.fixed(1), &delta = *node.fixed(2);
  for (const FixedTensor *scalar : {&start, &limit, &delta}) {
    if (scalar->count() != 1 || scalar->dtype != start.dtype)
      return Folded::error(node.fail("start, limit and delta must be scalars of one type"));
    if (scalar->has_marker())
      return Folded::error(fail_marker(node));
  }
  if (start.is_float())
    return range(node, start.floats()[0], limit.floats()[0], delta.floats()[0]);
  return range(node, start.ints()[0], limit.ints()[0], delta.ints()[0]);
}

/// A list of integers to one; along axes only reductions of floats are known, by the graph.
Folded fold_reduction(OnnxNode &node) {
  const FixedTensor &from = *node.fixed(0);
  if (from.is_float() || from.shape.size() > 1 || from.count() == 0)
    return Folded::declined();
  if (from.has_marker())
    return Folded::error(fail_marker(node));
  std::optional<ReducedAxes> axes = read_reduced_axes(node);
  if (!axes)
    return Folded::error(false);
  if (axes->nothing)
    return Folded::one(from);
  std::string_view step = node.op() == "ReduceProd"  ? "Mul"
                          : node.op() == "ReduceSum" ? "Add"
                          : node.op() == "ReduceMax" ? "Max"
                                                     : "Min";
  std::optional<int64_t> result = from.ints()[0];
  for (size_t i = 1; result && i < from.count(); ++i)
    result = integer_step(step, *result, from.ints()[i], false);
  if (!result || !holds(from.dtype, *result))
    return Folded::error(
        node.fail(fmt::format("its result is too large for {}", name_of(from.dtype))));
  std::vector<int64_t> shape(axes->keep ? from.shape.size() : 0, 1);
  return Folded::one({from.dtype, std::move(shape), std::vector<int64_t>{*result}});
}

constexpr FoldRow rows[] = {{"Add", fold_arithmetic, 2, 2},
                            {"Sub", fold_arithmetic, 2, 2},
                            {"Mul", fold_arithmetic, 2, 2},
                            {"Div", fold_arithmetic, 2, 2},
                            {"Mod", fold_arithmetic, 2, 2},
                            {"Pow", fold_arithmetic, 2, 2},
                            {"Min", fold_arithmetic, 1, any_number},
                            {"Max", fold_arithmetic, 1, any_number},
                            {"Equal", fold_comparison, 2, 2},
                            {"Less", fold_comparison, 2, 2},
                            {"LessOrEqual", fold_comparison, 2, 2},
                            {"Greater", fold_comparison, 2, 2},
                            {"GreaterOrEqual", fold_comparison, 2, 2},
                            {"And", fold_logic, 2, 2},
                            {"Or", fold_logic, 2, 2},
                            {"Xor", fold_logic, 2, 2},
                            {"Not", fold_not, 1, 1},
                            {"Neg", fold_function, 1, 1},
                            {"Abs", fold_function, 1, 1},
                            {"Floor", fold_function, 1, 1},
                            {"Ceil", fold_function, 1, 1},
                            {"Round", fold_function, 1, 1},
                            {"Sqrt", fold_function, 1, 1},
                            {"Exp", fold_function, 1, 1},
                            {"Log", fold_function, 1, 1},
                            {"Reciprocal", fold_function, 1, 1},
                            {"Cast", fold_cast, 1, 1},
                            {"Range", fold_range, 3, 3},
                            {"ReduceProd", fold_reduction, 1, 2},
                            {"ReduceSum", fold_reduction, 1, 2},
                            {"ReduceMax", fold_reduction, 1, 2},
                            {"ReduceMin", fold_reduction, 1, 2}};

} // namespace

const FoldRow *find_fold(std::string_view op) {
  auto row = std::ranges::find(rows, op, &FoldRow::op);
  return row == std::end(rows) ? nullptr : row;
}

} // namespace cnnc
