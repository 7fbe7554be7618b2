// The values of a model for one input, for those parts of a report that show numbers.
#pragma once

#include "compiler/reference/evaluate.h"

#include <map>
#include <string>

namespace cnnc::report {

/// Values of one image by their names.
using NamedValues = std::map<std::string, Tensor, std::less<>>;

/// Looks values of a graph up: those that have been computed, constants, and what the reference
/// interpreter makes of them in ops that only move elements (a relayout, a reshape).
class KnownValues {
public:
  /// All must outlive this. `computed` holds inputs, too.
  KnownValues(const Graph &graph, ValueProvider constants, const NamedValues &computed)
      : graph_(graph), constants_(std::move(constants)), computed_(computed) {}

  /// Empty where it is not known.
  std::optional<Tensor> find(ValueId id) const;
  /// The name under which a value was computed, where only its layout is another; else its own.
  const std::string &name_of(ValueId id) const;

private:
  const Graph &graph_;
  ValueProvider constants_;
  const NamedValues &computed_;
};

} // namespace cnnc::report
