// What an op sees of its surroundings when it checks itself and computes its result types.
#pragma once

#include "ir/text/diagnostics.h"
#include "ir/type/type.h"

#include <span>

namespace cnnc {

/// Types of the results of an op; empty after an error has been reported.
using InferredTypes = std::optional<std::vector<TensorType>>;

class InferContext {
public:
  struct Operand {
    const TensorType *type = nullptr;
    std::span<const double> listed = {}; // elements of a literal or splat
    bool constant = true;                // as far as is known
  };
  /// Positions in the text, as far as they are known.
  struct Locations {
    const SourceRange *op = nullptr; // shared by reference: a copy counts its owners
    std::span<const SourceRange> operands;
    std::span<const std::pair<std::string, SourceRange>> attributes;
  };
  /// `operands` holds those that are given (optional ones may be missing at the end); `declared`
  /// the result types that the text states, if any. All that these point to has to outlive this.
  InferContext(std::vector<Operand> operands, std::vector<const TensorType *> declared,
               Locations locations, Diagnostics &diagnostics)
      : operands_(std::move(operands)), declared_(std::move(declared)), locations_(locations),
        diagnostics_(diagnostics) {}

  size_t operand_count() const { return operands_.size(); }
  bool has(size_t operand) const { return operand < operands_.size(); }
  const TensorType &operand(size_t index) const { return *operands_[index].type; }
  const std::vector<int64_t> &shape(size_t index) const { return operand(index).shape; }
  const std::vector<const TensorType *> &declared() const { return declared_; }
  /// The elements that the text lists for an operand: those of a literal, or the one of a splat.
  /// Empty for all others.
  std::span<const double> listed(size_t index) const {
    return has(index) ? operands_[index].listed : std::span<const double>();
  }

  bool is_constant(size_t index) const { return operands_[index].constant; }

  /// Report at the op, at an operand, or at an attribute (at the op when the text leaves it out).
  /// All return an empty optional, so that infer() can `return context.error(...)`.
  std::nullopt_t error(std::string message);
  std::nullopt_t error_at_operand(size_t index, std::string message);
  std::nullopt_t error_at_attribute(std::string_view name, std::string message);

  /// Reports unless the operand has this rank / this element type.
  bool require_rank(size_t index, size_t rank, std::string_view meaning);
  bool require_dtype(size_t index, DType dtype);
  bool require_f32(size_t index) { return require_dtype(index, DType::f32); }
  bool require_f32(); // all operands

  /// The same place in the text with another type of an operand, which has to outlive the result.
  InferContext with_operand(size_t index, const TensorType &type) const {
    InferContext result = *this;
    result.operands_[index] = {&type};
    return result;
  }

private:
  std::vector<Operand> operands_;
  std::vector<const TensorType *> declared_;
  Locations locations_;
  Diagnostics &diagnostics_;
};

/// a * b, a + b; empty when the result does not fit 62 bits.
std::optional<int64_t> checked_mul(int64_t a, int64_t b);
std::optional<int64_t> checked_add(int64_t a, int64_t b);

} // namespace cnnc
