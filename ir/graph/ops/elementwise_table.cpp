// The element-wise ops, one row each: the reference is the formula in double, as exact as the
// library of C makes it; the lowering is what kernels compute in f32. Neither is made of the other,
// so that one checks the other.
#include "ir/graph/gradients/term.h"
#include "ir/graph/ops/activations.h"
#include "ir/graph/ops/elementwise.h"
#include "ir/loop/formulas.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

namespace cnnc {

namespace {

using loop::Expression;
using loop::number;
using P = UnaryParameters;

constexpr double infinity = std::numeric_limits<double>::infinity();

// ---- what references share

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// What is 0 far below 0 is 0 at -inf, too, where the formula would be inf * 0.
double finite_below(double x) { return x < -1000 ? -1000 : x; }

// NaN when either operand is: no comparison with a NaN is true, so that a NaN in `a` stays.
double min_with_nan(double a, double b) { return b < a || std::isnan(b) ? b : a; }
double max_with_nan(double a, double b) { return b > a || std::isnan(b) ? b : a; }

// ---- what lowerings share

/// 1 or 0: what a bool is in registers.
Expression is_less(const Expression &a, const Expression &b) {
  return if_less(a, b, number(1), number(0));
}
Expression is_equal(const Expression &a, const Expression &b) {
  return if_equal(a, b, number(1), number(0));
}

/// min(1, max(0, scale * x + offset))
Expression hard_step(const Expression &x, double scale, double offset) {
  return min(number(1), max(number(0), fma(x, number(scale), number(offset))));
}

Expression clip(const Expression &x, double lowest, double highest) {
  Expression result = x;
  if (lowest != -infinity)
    result = max(number(lowest), std::move(result));
  if (highest != infinity)
    result = min(number(highest), std::move(result));
  return result;
}

/// Adds zero, or NaN when x is NaN. The product with x alone would make NaN of an infinity, too.
Expression with_nan_of(const Expression &x, Expression value) {
  return fma(number(0), max(number(-1), min(number(1), x)), std::move(value));
}

// ---- what gradients share

/// To the smaller of two operands; equal ones share it.
Term smaller_gets(const Term &operand, const Term &other, const Term &dy) {
  const Term smaller = is_less(operand, other), larger = is_less(other, operand);
  return where(smaller, dy, where(larger, 0, dy * 0.5));
}

// ---- one operand

constexpr UnaryRow unary_rows[] = {
    {.name = "relu",
     .formula = "max(x, 0)",
     .reference = [](double x, const P &) { return x < 0 ? 0 : x; },
     .lower = [](const Expression &x, const P &) { return max(number(0), x); },
     .gradient = [](const Term &, const Term &y, const Term &dy,
                    const P &) { return where(is_less(0, y), dy, 0); },
     .onnx = {"Relu"}},
    {.name = "leaky_relu",
     .formula = "x < 0 ? alpha * x : x",
     .parameters = {{{"alpha", 0.01}}},
     .reference = [](double x, const P &p) { return x < 0 ? p[0] * x : x; },
     .lower = [](const Expression &x, const P &p) { return if_negative(x, number(p[0]) * x, x); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &p) {
           const Term above = is_less(0, x);
           return where(above, dy, dy * p[0]);
         },
     .onnx = {"LeakyRelu"}},
    {.name = "sigmoid",
     .formula = "1 / (1 + exp(-x))",
     .reference = [](double x, const P &) { return sigmoid(x); },
     .lower = [](const Expression &x, const P &) { return number(1) / (number(1) + exp(neg(x))); },
     .gradient =
         [](const Term &, const Term &y, const Term &dy, const P &) {
           const Term product = dy * y;
           return product * (1 - y);
         },
     .onnx = {"Sigmoid"}},
    {.name = "tanh",
     .formula = "tanh(x)",
     .reference = [](double x, const P &) { return std::tanh(x); },
     .lower = [](const Expression &x, const P &) { return tanh(x); },
     .gradient = [](const Term &, const Term &y, const Term &dy,
                    const P &) { return dy * (1 - y * y); },
     .onnx = {"Tanh"}},
    {.name = "clip",
     .formula = "min(max(x, min), max)",
     .parameters = {{{"min", -infinity}, {"max", infinity}}},
     .check =
         [](InferContext &context, const P &p) {
           if (p[0] > p[1])
             context.error_at_attribute("min",
                                        fmt::format("'min' is above 'max': {} > {}", p[0], p[1]));
           return p[0] <= p[1];
         },
     .reference = [](double x, const P &p) { return min_with_nan(max_with_nan(x, p[0]), p[1]); },
     .lower = [](const Expression &x, const P &p) { return clip(x, p[0], p[1]); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &p) {
           const Term below = is_less(x, p[0]), above = is_less(p[1], x);
           return where(below, 0, where(above, 0, dy));
         }},
    {.name = "hard_sigmoid",
     .formula = "min(max(alpha * x + beta, 0), 1)",
     .parameters = {{{"alpha", 0.2}, {"beta", 0.5}}},
     .reference = [](double x,
                     const P &p) { return min_with_nan(max_with_nan(p[0] * x + p[1], 0), 1); },
     .lower = [](const Expression &x, const P &p) { return hard_step(x, p[0], p[1]); },
     .gradient =
         [](const Term &, const Term &y, const Term &dy, const P &p) {
           const Term above = is_less(0, y), inside = both(above, is_less(y, 1));
           return where(inside, dy * p[0], 0);
         },
     .onnx = {"HardSigmoid"}},
    {.name = "hard_swish",
     .formula = "x * min(max(x / 6 + 0.5, 0), 1)",
     .reference = [](double x,
                     const P &) { return x * min_with_nan(max_with_nan(x / 6 + 0.5, 0), 1); },
     .lower = [](const Expression &x, const P &) { return x * hard_step(x, 1.0 / 6, 0.5); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &) {
           const Term below = is_less(x, -3), above = is_less(3, x);
           return where(below, 0, where(above, dy, dy * (x * (1.0 / 3) + 0.5)));
         },
     .onnx = {"HardSwish"}},
    {.name = "silu",
     .formula = "x / (1 + exp(-x))",
     .reference = [](double x,
                     const P &) { return finite_below(x) / (1 + std::exp(-finite_below(x))); },
     .lower = [](const Expression &x, const P &) { return activation::silu(x); },
     .gradient =
         [](const Term &x, const Term &y, const Term &dy, const P &) {
           Term s = sigmoid(x);
           return dy * (s + y * (1 - s));
         }},
    {.name = "elu",
     .formula = "x < 0 ? alpha * (exp(x) - 1) : x",
     .parameters = {{{"alpha", 1}}},
     .reference = [](double x, const P &p) { return x < 0 ? p[0] * std::expm1(x) : x; },
     .lower = [](const Expression &x,
                 const P &p) { return if_negative(x, number(p[0]) * expm1(x), x); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &p) {
           const Term above = is_less(0, x);
           return where(above, dy, dy * exp(x) * p[0]);
         },
     .onnx = {"Elu"}},
    {.name = "exp",
     .formula = "exp(x)",
     .reference = [](double x, const P &) { return std::exp(x); },
     .lower = [](const Expression &x, const P &) { return exp(x); },
     .gradient = [](const Term &, const Term &y, const Term &dy, const P &) { return dy * y; },
     .onnx = {"Exp"},
     .finite = false},
    {.name = "sqrt",
     .formula = "sqrt(x)",
     .reference = [](double x, const P &) { return std::sqrt(x); },
     .lower = [](const Expression &x, const P &) { return sqrt(x); },
     .gradient = [](const Term &, const Term &y, const Term &dy,
                    const P &) { return dy * 0.5 / y; },
     .onnx = {"Sqrt"},
     .finite = false},
    {.name = "dropout",
     .formula = "x: nothing is dropped at inference",
     .parameters = {{{"ratio", 0.5}}},
     .check =
         [](InferContext &context, const P &p) {
           bool fits = p[0] >= 0 && p[0] <= 1;
           if (!fits)
             context.error_at_attribute(
                 "ratio", fmt::format("'ratio' must be between 0 and 1, but is {}", p[0]));
           return fits;
         },
     .reference = [](double x, const P &) { return x; },
     .lower = [](const Expression &x, const P &) { return x; },
     .gradient = [](const Term &, const Term &, const Term &dy, const P &) { return dy; }},
    {.name = "abs",
     .formula = "|x|",
     .reference = [](double x, const P &) { return std::abs(x); },
     .lower = [](const Expression &x, const P &) { return abs(x); },
     .gradient = [](const Term &x, const Term &, const Term &dy,
                    const P &) { return dy * apply(unary::sign, x); },
     .onnx = {"Abs"}},
    {.name = "neg",
     .formula = "-x",
     .reference = [](double x, const P &) { return -x; },
     .lower = [](const Expression &x, const P &) { return neg(x); },
     .gradient = [](const Term &, const Term &, const Term &dy, const P &) { return -dy; },
     .onnx = {"Neg"}},
    {.name = "floor",
     .formula = "the largest integer that is not above x",
     .reference = [](double x, const P &) { return std::floor(x); },
     .lower = [](const Expression &x, const P &) { return floor(x); },
     .gradient = no_gradient,
     .onnx = {"Floor"}},
    {.name = "ceil",
     .formula = "the smallest integer that is not below x",
     .reference = [](double x, const P &) { return std::ceil(x); },
     .lower = [](const Expression &x, const P &) { return ceil(x); },
     .gradient = no_gradient,
     .onnx = {"Ceil"}},
    {.name = "sin",
     .formula = "the sine of x",
     .reference = [](double x, const P &) { return std::sin(x); },
     .lower = [](const Expression &x, const P &) { return sin(x); },
     .gradient = [](const Term &x, const Term &, const Term &dy,
                    const P &) { return dy * apply(unary::cos, x); },
     .onnx = {"Sin", 7}},
    {.name = "cos",
     .formula = "the cosine of x",
     .reference = [](double x, const P &) { return std::cos(x); },
     .lower = [](const Expression &x, const P &) { return cos(x); },
     .gradient = [](const Term &x, const Term &, const Term &dy,
                    const P &) { return -(dy * apply(unary::sin, x)); },
     .onnx = {"Cos", 7}},
    {.name = "round",
     .formula = "the integer nearest to x, the even one of two",
     .reference = [](double x, const P &) { return std::nearbyint(x); },
     .lower = [](const Expression &x, const P &) { return round(x); },
     .gradient = no_gradient,
     .onnx = {"Round"}},
    {.name = "sign", // NaN stays
     .formula = "-1, 0 or 1 as x is below, at or above 0",
     .reference = [](double x, const P &) { return x < 0   ? -1
                                                   : x > 0 ? 1
                                                           : x; },
     .lower =
         [](const Expression &x, const P &) {
           Expression zero = if_equal(x, number(0), number(0), x); // what counts as 0, too
           return if_negative(x, number(-1), if_less(number(0), x, number(1), std::move(zero)));
         },
     .gradient = no_gradient,
     .onnx = {"Sign"}},
    {.name = "log",
     .formula = "the natural logarithm of x",
     .reference = [](double x, const P &) { return std::log(x); },
     .lower = [](const Expression &x, const P &) { return log(x); },
     .gradient = [](const Term &x, const Term &, const Term &dy, const P &) { return dy / x; },
     .onnx = {"Log"},
     .finite = false},
    {.name = "erf",
     .formula = "the error function of x",
     .reference = [](double x, const P &) { return std::erf(x); },
     .lower = [](const Expression &x, const P &) { return erf(x); },
     .gradient = [](const Term &x, const Term &, const Term &dy,
                    const P &) { return dy * exp(-(x * x)) * (2 * std::numbers::inv_sqrtpi); },
     .onnx = {"Erf"}},
    {.name = "reciprocal",
     .formula = "1 / x",
     .reference = [](double x, const P &) { return 1 / x; },
     .lower = [](const Expression &x, const P &) { return number(1) / x; },
     .gradient = [](const Term &, const Term &y, const Term &dy,
                    const P &) { return -(dy * y * y); },
     .onnx = {"Reciprocal"},
     .finite = false},
    {.name = "softplus",
     .formula = "log(1 + exp(x))",
     .reference = [](double x, const P &) { return softplus(x); },
     .lower = [](const Expression &x, const P &) { return activation::softplus(x); },
     .gradient = [](const Term &x, const Term &, const Term &dy,
                    const P &) { return dy * sigmoid(x); },
     .onnx = {"Softplus"}},
    {.name = "softsign",
     .formula = "x / (1 + |x|)",
     .reference = [](double x, const P &) { return x / (1 + std::abs(x)); },
     .lower = [](const Expression &x, const P &) { return x / (number(1) + abs(x)); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &) {
           Term t = 1 + apply(unary::abs, x);
           return dy / (t * t);
         },
     .onnx = {"Softsign"}},
    {.name = "selu",
     .formula = "gamma * (x < 0 ? alpha * (exp(x) - 1) : x)",
     .parameters = {{{"alpha", 1.67326319217681884765625}, {"gamma", 1.05070102214813232421875}}},
     .reference = [](double x,
                     const P &p) { return x < 0 ? p[1] * p[0] * std::expm1(x) : p[1] * x; },
     .lower =
         [](const Expression &x, const P &p) {
           return if_negative(x, number(p[0] * p[1]) * expm1(x), number(p[1]) * x);
         },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &p) {
           const Term above = is_less(0, x), linear = dy * p[1];
           return where(above, linear, dy * exp(x) * (p[0] * p[1]));
         },
     .onnx = {"Selu"}},
    {.name = "celu",
     .formula = "x < 0 ? alpha * (exp(x / alpha) - 1) : x",
     .parameters = {{{"alpha", 1}}},
     .check =
         [](InferContext &context, const P &p) {
           if (p[0] == 0)
             context.error_at_attribute("alpha", "'alpha' must not be 0");
           return p[0] != 0;
         },
     .reference = [](double x, const P &p) { return x < 0 ? p[0] * std::expm1(x / p[0]) : x; },
     .lower =
         [](const Expression &x, const P &p) {
           return if_negative(x, number(p[0]) * activation::celu_curve(x / number(p[0]), p[0]), x);
         },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &p) {
           const Term below = is_less(x, 0);
           return where(below, dy * exp(x / p[0]), dy);
         },
     .onnx = {"Celu"}},
    {.name = "gelu",
     .formula = "x / 2 * (1 + erf(x / sqrt(2)))",
     .reference =
         [](double x, const P &) {
           return 0.5 * finite_below(x) * std::erfc(-x / std::numbers::sqrt2);
         },
     .lower = [](const Expression &x, const P &) { return activation::gelu(x); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &) {
           Term below = apply(unary::erf, x * (1 / std::numbers::sqrt2)) * 0.5 + 0.5;
           Term density = exp(x * x * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
           return dy * (below + x * density);
         }},
    {.name = "gelu_tanh",
     .formula = "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))",
     .reference =
         [](double x, const P &) {
           x = finite_below(x);
           double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
           double e = std::exp(-2 * std::abs(inner)); // 1 + tanh is 2 - 2e / (1 + e), or the rest
           return x * (x < 0 ? e / (1 + e) : 1 - e / (1 + e));
         },
     .lower = [](const Expression &x, const P &) { return activation::gelu_tanh(x); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &) {
           constexpr double cubic = 0.044715;
           const double scale = std::sqrt(2 / std::numbers::pi);
           Term t = tanh(x * (x * x * cubic + 1) * scale);
           Term slope = (x * x * (3 * cubic) + 1) * scale;
           const Term half = (t + 1) * 0.5, half_x = x * 0.5;
           return dy * (half + half_x * (1 - t * t) * slope);
         }},
    {.name = "mish",
     .formula = "x * tanh(log(1 + exp(x)))",
     .reference = [](double x,
                     const P &) { return finite_below(x) * std::tanh(softplus(finite_below(x))); },
     .lower = [](const Expression &x, const P &) { return activation::mish(x); },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &) {
           Term t = tanh(apply(unary::softplus, x));
           const Term swish = x * sigmoid(x);
           return dy * (t + swish * (1 - t * t));
         },
     .onnx = {"Mish", 18}},
    {.name = "thresholded_relu",
     .formula = "x > alpha ? x : 0",
     .parameters = {{{"alpha", 1}}},
     .reference = [](double x, const P &p) { return x > p[0] ? x : 0; },
     .lower = [](const Expression &x,
                 const P &p) { return if_less(number(p[0]), x, x, number(0)); },
     .gradient = [](const Term &x, const Term &, const Term &dy,
                    const P &p) { return where(is_less(p[0], x), dy, 0); },
     .onnx = {"ThresholdedRelu"}},
    {.name = "hard_shrink",
     .formula = "x < -lambda ? x + bias : x > lambda ? x - bias : 0",
     .parameters = {{{"lambda", 0.5, "lambd"}, {"bias", 0}}},
     .reference = [](double x,
                     const P &p) { return x < -p[0]  ? x + p[1]
                                          : x > p[0] ? x - p[1]
                                                     : 0; },
     .lower =
         [](const Expression &x, const P &p) {
           Expression above = if_less(number(p[0]), x, x - number(p[1]), number(0));
           return if_less(x, number(-p[0]), x + number(p[1]), std::move(above));
         },
     .gradient =
         [](const Term &x, const Term &, const Term &dy, const P &p) {
           const Term below = is_less(x, -p[0]), above = is_less(p[0], x);
           return where(below, dy, where(above, dy, 0));
         },
     .onnx = {"Shrink"}},
    {.name = "not",
     .formula = "not x, of bool",
     .reference = [](double x, const P &) { return x == 0 ? 1.0 : 0.0; },
     .lower = [](const Expression &x, const P &) { return number(1) - x; },
     .gradient = no_gradient,
     .onnx = {"Not"},
     .dtype = DType::boolean},
};

// ---- two operands

constexpr BinaryRow binary_rows[] = {
    {.name = "add",
     .formula = "a + b, with broadcasting",
     .reference = [](double a, double b) { return a + b; },
     .lower = [](const Expression &a, const Expression &b) { return a + b; },
     .gradient_a = [](const Term &, const Term &, const Term &, const Term &dy) { return dy; },
     .gradient_b = [](const Term &, const Term &, const Term &, const Term &dy) { return dy; },
     .onnx = {"Add"}},
    {.name = "sub",
     .formula = "a - b, with broadcasting",
     .reference = [](double a, double b) { return a - b; },
     .lower = [](const Expression &a, const Expression &b) { return a - b; },
     .gradient_a = [](const Term &, const Term &, const Term &, const Term &dy) { return dy; },
     .gradient_b = [](const Term &, const Term &, const Term &, const Term &dy) { return -dy; },
     .onnx = {"Sub"}},
    {.name = "mul",
     .formula = "a * b, with broadcasting",
     .reference = [](double a, double b) { return a * b; },
     .lower = [](const Expression &a, const Expression &b) { return a * b; },
     .gradient_a = [](const Term &, const Term &b, const Term &, const Term &dy) { return dy * b; },
     .gradient_b = [](const Term &a, const Term &, const Term &, const Term &dy) { return dy * a; },
     .onnx = {"Mul"}},
    {.name = "div",
     .formula = "a / b, with broadcasting",
     .reference = [](double a, double b) { return a / b; },
     .lower = [](const Expression &a, const Expression &b) { return a / b; },
     .gradient_a = [](const Term &, const Term &b, const Term &, const Term &dy) { return dy / b; },
     .gradient_b = [](const Term &, const Term &b, const Term &y,
                      const Term &dy) { return -(dy * y / b); },
     .onnx = {"Div"},
     .finite = false},
    {.name = "min",
     .formula = "the smaller of a and b, with broadcasting",
     .reference = [](double a, double b) { return min_with_nan(a, b); },
     .lower = [](const Expression &a, const Expression &b) { return with_nan_of(a, min(a, b)); },
     .gradient_a = [](const Term &a, const Term &b, const Term &,
                      const Term &dy) { return smaller_gets(a, b, dy); },
     .gradient_b = [](const Term &a, const Term &b, const Term &,
                      const Term &dy) { return smaller_gets(b, a, dy); },
     .onnx = {"Min"}},
    {.name = "max",
     .formula = "the larger of a and b, with broadcasting",
     .reference = [](double a, double b) { return max_with_nan(a, b); },
     .lower = [](const Expression &a, const Expression &b) { return with_nan_of(a, max(a, b)); },
     .gradient_a = [](const Term &a, const Term &b, const Term &,
                      const Term &dy) { return smaller_gets(b, a, dy); },
     .gradient_b = [](const Term &a, const Term &b, const Term &,
                      const Term &dy) { return smaller_gets(a, b, dy); },
     .onnx = {"Max"}},
    {.name = "prelu",
     .formula = "a < 0 ? b * a : a; the slope b broadcasts to the shape of a",
     .reference = [](double a, double b) { return a < 0 ? a * b : a; },
     .lower = [](const Expression &a, const Expression &b) { return if_negative(a, b * a, a); },
     .gradient_a =
         [](const Term &a, const Term &b, const Term &, const Term &dy) {
           const Term above = is_less(0, a);
           return where(above, dy, dy * b);
         },
     .gradient_b =
         [](const Term &a, const Term &, const Term &, const Term &dy) {
           const Term above = is_less(0, a);
           return where(above, 0, dy * a);
         },
     .onnx = {"PRelu"},
     .keeps_shape_of_a = true},
    {.name = "pow",
     .formula = "a to the power b, with broadcasting",
     .reference = [](double a, double b) { return std::pow(a, b); },
     .lower = [](const Expression &a, const Expression &b) { return pow(a, b); },
     .gradient_a =
         [](const Term &a, const Term &b, const Term &, const Term &dy) {
           const Term constant = is_equal(b, 0), product = dy * b;
           return where(constant, 0, product * pow(a, b - 1));
         },
     .gradient_b =
         [](const Term &a, const Term &, const Term &y, const Term &dy) {
           const Term above = is_less(0, a), product = dy * y;
           return where(above, product * log(a), 0);
         },
     .onnx = {"Pow"},
     .finite = false},
    {.name = "equal",
     .formula = "a == b as bool, with broadcasting",
     .reference = [](double a, double b) { return a == b ? 1.0 : 0.0; },
     .lower = [](const Expression &a, const Expression &b) { return is_equal(a, b); },
     .onnx = {"Equal"},
     .result = DType::boolean},
    {.name = "less",
     .formula = "a < b as bool, with broadcasting",
     .reference = [](double a, double b) { return a < b ? 1.0 : 0.0; },
     .lower = [](const Expression &a, const Expression &b) { return is_less(a, b); },
     .onnx = {"Less"},
     .result = DType::boolean},
    {.name = "less_or_equal",
     .formula = "a <= b as bool, with broadcasting",
     .reference = [](double a, double b) { return a <= b ? 1.0 : 0.0; },
     .lower = [](const Expression &a,
                 const Expression &b) { return if_less(a, b, number(1), is_equal(a, b)); },
     .onnx = {"LessOrEqual"},
     .result = DType::boolean},
    {.name = "greater",
     .formula = "a > b as bool, with broadcasting",
     .reference = [](double a, double b) { return a > b ? 1.0 : 0.0; },
     .lower = [](const Expression &a, const Expression &b) { return is_less(b, a); },
     .onnx = {"Greater"},
     .result = DType::boolean},
    {.name = "greater_or_equal",
     .formula = "a >= b as bool, with broadcasting",
     .reference = [](double a, double b) { return a >= b ? 1.0 : 0.0; },
     .lower = [](const Expression &a,
                 const Expression &b) { return if_less(b, a, number(1), is_equal(a, b)); },
     .onnx = {"GreaterOrEqual"},
     .result = DType::boolean},
    {.name = "and",
     .formula = "a and b of bool, with broadcasting",
     .reference = [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; },
     .lower = [](const Expression &a, const Expression &b) { return a * b; },
     .onnx = {"And"},
     .operands = DType::boolean,
     .result = DType::boolean},
    {.name = "or",
     .formula = "a or b of bool, with broadcasting",
     .reference = [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; },
     .lower = [](const Expression &a, const Expression &b) { return max(a, b); },
     .onnx = {"Or"},
     .operands = DType::boolean,
     .result = DType::boolean},
    {.name = "xor",
     .formula = "a != b of bool, with broadcasting",
     .reference = [](double a, double b) { return (a != 0) != (b != 0) ? 1.0 : 0.0; },
     .lower = [](const Expression &a, const Expression &b) { return abs(a - b); },
     .onnx = {"Xor"},
     .operands = DType::boolean,
     .result = DType::boolean},
};

template <class Row> constexpr bool is_complete(const Row &row) {
  return !row.name.empty() && !row.formula.empty() && row.reference && row.lower;
}
static_assert(std::ranges::all_of(unary_rows, is_complete<UnaryRow>) &&
                  std::ranges::all_of(binary_rows, is_complete<BinaryRow>),
              "a row needs a name, a formula, a reference and a lowering");
static_assert(std::ranges::all_of(unary_rows, [](const UnaryRow &row) { return row.gradient; }),
              "a row of one operand needs a gradient, or no_gradient");

/// The row of this name, when the compiler is built: without one it does not compile.
template <class Row, size_t count>
consteval const Row *named(const Row (&rows)[count], std::string_view name) {
  for (const Row &row : rows)
    if (row.name == name)
      return &row;
  throw "there is no element-wise op of this name";
}

} // namespace

std::span<const UnaryRow> unary_table() { return unary_rows; }
std::span<const BinaryRow> binary_table() { return binary_rows; }

namespace unary {
UnaryOp relu = named(unary_rows, "relu");
UnaryOp sigmoid = named(unary_rows, "sigmoid");
UnaryOp tanh = named(unary_rows, "tanh");
UnaryOp clip = named(unary_rows, "clip");
UnaryOp hard_sigmoid = named(unary_rows, "hard_sigmoid");
UnaryOp hard_swish = named(unary_rows, "hard_swish");
UnaryOp silu = named(unary_rows, "silu");
UnaryOp exp = named(unary_rows, "exp");
UnaryOp sqrt = named(unary_rows, "sqrt");
UnaryOp dropout = named(unary_rows, "dropout");
UnaryOp neg = named(unary_rows, "neg");
UnaryOp sin = named(unary_rows, "sin");
UnaryOp cos = named(unary_rows, "cos");
UnaryOp abs = named(unary_rows, "abs");
UnaryOp sign = named(unary_rows, "sign");
UnaryOp log = named(unary_rows, "log");
UnaryOp erf = named(unary_rows, "erf");
UnaryOp softplus = named(unary_rows, "softplus");
UnaryOp gelu = named(unary_rows, "gelu");
UnaryOp gelu_tanh = named(unary_rows, "gelu_tanh");
UnaryOp mish = named(unary_rows, "mish");
} // namespace unary

namespace binary {
BinaryOp add = named(binary_rows, "add");
BinaryOp sub = named(binary_rows, "sub");
BinaryOp mul = named(binary_rows, "mul");
BinaryOp div = named(binary_rows, "div");
BinaryOp pow = named(binary_rows, "pow");
BinaryOp equal = named(binary_rows, "equal");
BinaryOp less = named(binary_rows, "less");
BinaryOp logical_and = named(binary_rows, "and");
} // namespace binary

} // namespace cnnc
