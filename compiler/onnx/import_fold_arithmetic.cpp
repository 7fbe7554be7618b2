// Folds that compute with elements.
#include "compiler/onnx/import_fold.h"
#include "compiler/onnx/import_ops.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

namespace {

bool fail_marker(OnnxNode &node) {
  return node.fail(fmt::format("it computes with the size of the batch, which is symbolic: {}",
                               node.importer().advice_to_fix_batch()));
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
    result = static_cast<int64_t>(std::pow(static_cast<double>(a), static_cast<double>(b)));
  else if (b == 0 || (b == -1 && a == std::numeric_limits<int64_t>::min()))
    overflow = true;
  else if (op == "Div")
    result = a / b;
  else { // Mod: the sign of b, or that of a
    result = a % b;
    if (!c_remainder && result != 0 && (result < 0) != (b < 0))
      result += b;
  }
  return overflow || result == batch_marker ? std::nullopt : std::optional(result);
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
  if (first.is_float() || second.is_float()) {
    std::vector<float> floats(count);
    for (size_t i = 0; i < count; ++i)
      floats[i] = float_step(node.op(), static_cast<float>(pair->a.number(i)),
                             static_cast<float>(pair->b.number(i)));
    result.dtype = DType::f32;
    result.elements = std::move(floats);
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
    if (!step) {
      node.fail(fmt::format("{} of the integers {} and {} has no result", node.op(), a, b));
      return std::nullopt;
    }
    result.ints()[i] = *step;
  }
  return result;
}

/// Add, Sub, Mul, Div, Mod, Pow, and Min, Max, Sum of several.
Folded fold_arithmetic(OnnxNode &node) {
  if (node.opset() < 7)
    return Folded::declined(); // with attributes that say how to broadcast
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
  if (node.opset() < 7)
    return Folded::declined();
  std::optional<Pair> pair = broadcast_pair(node, *node.fixed(0), *node.fixed(1));
  if (!pair)
    return Folded::error(false);
  std::vector<int64_t> bits;
  for (size_t i = 0; i < pair->a.count(); ++i) {
    bool a = pair->a.number(i) != 0, b = pair->b.number(i) != 0;
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
  if (node.op() != "Neg" && node.op() != "Abs" && node.op() != "Not")
    return Folded::declined();
  for (int64_t &element : result.ints())
    element = node.op() == "Not"                  ? element == 0
              : node.op() == "Neg" || element < 0 ? -element
                                                  : element;
  return Folded::one(std::move(result));
}

int64_t converted(double number, DType to) {
  if (to == DType::boolean)
    return number != 0;
  if (std::isnan(number))
    return 0;
  constexpr double largest = 9223372036854774784.0; // below 2^63
  double low = to == DType::i64 ? -largest : to == DType::i32 ? -2147483648.0 : 0;
  double high = to == DType::i64 ? largest : to == DType::i32 ? 2147483647.0 : 255;
  return static_cast<int64_t>(std::clamp(std::trunc(number), low, high));
}

Folded fold_cast(OnnxNode &node) {
  std::optional<DType> to = read_cast_type(node);
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

Folded fold_range(OnnxNode &node) {
  for (size_t i = 0; i < 3; ++i) {
    if (!node.has(i) || node.fixed(i)->count() != 1)
      return Folded::error(node.fail("it needs three scalars: start, limit and delta"));
    if (node.fixed(i)->has_marker())
      return Folded::error(fail_marker(node));
  }
  double start = node.fixed(0)->number(0), limit = node.fixed(1)->number(0),
         delta = node.fixed(2)->number(0);
  double count = delta == 0 ? -1 : std::max(0.0, std::ceil((limit - start) / delta));
  if (!(count >= 0) || count > static_cast<double>(most_folded))
    return Folded::error(node.fail(fmt::format(
        "a range from {} to {} in steps of {} has too many elements", start, limit, delta)));
  FixedTensor result{node.fixed(0)->dtype, {static_cast<int64_t>(count)}, {}};
  std::vector<float> floats;
  std::vector<int64_t> integers;
  for (int64_t i = 0; i < result.shape[0]; ++i) {
    floats.push_back(static_cast<float>(start + static_cast<double>(i) * delta));
    integers.push_back(static_cast<int64_t>(start) + i * static_cast<int64_t>(delta));
  }
  if (result.dtype == DType::f32)
    result.elements = std::move(floats);
  else
    result.elements = std::move(integers);
  return Folded::one(std::move(result));
}

/// Over all elements; along axes only reductions of floats are known, by the graph.
Folded fold_reduction(OnnxNode &node) {
  const FixedTensor &from = *node.fixed(0);
  if (from.is_float() || from.shape.size() > 1 || from.count() == 0)
    return Folded::declined();
  if (from.has_marker())
    return Folded::error(fail_marker(node));
  node.integers("axes");
  bool keep = node.integer("keepdims", 1) != 0;
  std::string_view step = node.op() == "ReduceProd"  ? "Mul"
                          : node.op() == "ReduceSum" ? "Add"
                          : node.op() == "ReduceMax" ? "Max"
                                                     : "Min";
  std::optional<int64_t> result = from.ints()[0];
  for (size_t i = 1; result && i < from.count(); ++i)
    result = integer_step(step, *result, from.ints()[i], false);
  if (!result)
    return Folded::error(node.fail("its result is too large"));
  std::vector<int64_t> shape(keep ? from.shape.size() : 0, 1);
  return Folded::one({from.dtype, std::move(shape), std::vector<int64_t>{*result}});
}

constexpr FoldRow rows[] = {{"Add", fold_arithmetic},
                            {"Sub", fold_arithmetic},
                            {"Mul", fold_arithmetic},
                            {"Div", fold_arithmetic},
                            {"Mod", fold_arithmetic},
                            {"Pow", fold_arithmetic},
                            {"Min", fold_arithmetic},
                            {"Max", fold_arithmetic},
                            {"Equal", fold_comparison},
                            {"Less", fold_comparison},
                            {"LessOrEqual", fold_comparison},
                            {"Greater", fold_comparison},
                            {"GreaterOrEqual", fold_comparison},
                            {"And", fold_logic},
                            {"Or", fold_logic},
                            {"Xor", fold_logic},
                            {"Not", fold_function},
                            {"Neg", fold_function},
                            {"Abs", fold_function},
                            {"Floor", fold_function},
                            {"Ceil", fold_function},
                            {"Round", fold_function},
                            {"Sqrt", fold_function},
                            {"Exp", fold_function},
                            {"Log", fold_function},
                            {"Reciprocal", fold_function},
                            {"Cast", fold_cast},
                            {"Range", fold_range},
                            {"ReduceProd", fold_reduction},
                            {"ReduceSum", fold_reduction},
                            {"ReduceMax", fold_reduction},
                            {"ReduceMin", fold_reduction}};

} // namespace

Fold find_fold(std::string_view op) {
  auto row = std::ranges::find(rows, op, &FoldRow::op);
  return row == std::end(rows) ? nullptr : row->fold;
}

} // namespace cnnc
