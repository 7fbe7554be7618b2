// Expressions over values of a graph, in which gradients are written: each operation adds an op.
//
//   Term s = sigmoid(x);
//   return s * (1 + x * (1 - s));
//
// C++ leaves open which operand of an operator, and which argument of a function, is evaluated
// first. Of those that add ops one at most stands in an expression; others have a statement of their
// own, so that every build of the compiler prints the same text.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// A value, or a number that has not become one yet: arithmetic between numbers adds no ops.
class Term {
public:
  Term(double number) : number_(number) {} // NOLINT
  Term(Graph &graph, ValueId id) : graph_(&graph), id_(id) {}

  bool is_number() const { return !graph_; }
  bool is_number(double number) const { return is_number() && number_ == number; }
  double number() const { return number_; }

  // Of a value:
  Graph &graph() const { return *graph_; }
  ValueId id() const { return id_; }
  const TensorType &type() const { return graph_->type(id_); }
  const std::vector<int64_t> &shape() const { return type().shape; }
  int64_t dim(size_t index) const { return shape()[index]; }
  size_t rank() const { return type().rank(); }

private:
  Graph *graph_ = nullptr;
  ValueId id_ = no_id;
  double number_ = 0;
};

/// Stands for a gradient that is 0 wherever it exists.
Term no_gradient(const Term &x, const Term &y, const Term &dy, const UnaryParameters &);

/// The results of an op of these operands, values all of them, one of them at least.
std::vector<Term> apply_all(Op op, const std::vector<Term> &operands);
/// The only result.
Term apply(Op op, const std::vector<Term> &operands);
/// A number as a scalar, f32[].
Term as_value(Graph &graph, const Term &term);
/// Constants in the graph of `like`.
Term constant(const Term &like, std::vector<double> elements, std::vector<int64_t> shape,
              DType dtype = DType::f32);
Term filled(const Term &like, double element, std::vector<int64_t> shape);

// Element-wise, with broadcasting.
Term operator+(const Term &a, const Term &b);
Term operator-(const Term &a, const Term &b);
Term operator-(const Term &a);
Term operator*(const Term &a, const Term &b);
Term operator/(const Term &a, const Term &b);
Term apply(const UnaryRow *row, const Term &x);
Term apply(const BinaryRow *row, const Term &a, const Term &b);
Term exp(const Term &x);
Term log(const Term &x);
Term sqrt(const Term &x);
Term pow(const Term &a, const Term &b);
Term sigmoid(const Term &x);
Term tanh(const Term &x);
// Conditions, of type bool.
Term is_less(const Term &a, const Term &b);
Term is_equal(const Term &a, const Term &b);
Term both(const Term &a, const Term &b);
Term where(const Term &condition, const Term &a, const Term &b);
/// f32: 1 where the condition holds.
Term as_number(const Term &condition);

// Sums and means keep the dimensions as 1.
Term sum(const Term &x, std::vector<int64_t> axes);
Term mean(const Term &x, std::vector<int64_t> axes);
Term reshape(const Term &x, const std::vector<int64_t> &shape);
Term transpose(const Term &x, std::vector<int64_t> permutation);
Term expand(const Term &x, const std::vector<int64_t> &shape);
/// Summed over the dimensions along which `shape` is broadcast to that of x.
Term sum_to(const Term &x, const std::vector<int64_t> &shape);

/// first, first + 1 .. last - 1
std::vector<int64_t> range(size_t first, size_t last);

} // namespace cnnc
