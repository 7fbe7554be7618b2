// The reference interpreter: every op by its formula, slow and obvious, sums in double. The oracle
// for everything the compiler generates.
//
// What becomes of NaN is said in ir/README.md, "Element types", and tested in tests/run/nan.ir.
#pragma once

#include "compiler/tensor/tensor.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// Computes one op. `operands` as infer() checked them, with static shapes; `result_types` what it
/// inferred for these shapes (layouts are ignored). Reports and returns empty for ops that have no
/// value of their own: weight and call.
std::optional<std::vector<Tensor>> evaluate(const Op &op,
                                            const std::vector<const Tensor *> &operands,
                                            const std::vector<TensorType> &result_types,
                                            Diagnostics &diagnostics);

/// Gives a value that is not computed here; reports and returns empty when it can't.
using ValueProvider = std::function<std::optional<Tensor>(ValueId, Diagnostics &)>;

/// Sees values as they are computed.
using ValueObserver = std::function<void(ValueId, const Tensor &)>;

/// Runs `nodes`, which are sorted, and returns the `wanted` values. What none of the nodes
/// computes, the provider gives, each time it is read. Values are freed after their last use. The
/// graph has types, `batch` is the size of a symbolic one.
std::optional<std::vector<Tensor>>
run_nodes(const Graph &graph, const std::vector<const Node *> &nodes,
          const std::vector<ValueId> &wanted, const ValueProvider &provider, int64_t batch,
          Diagnostics &diagnostics, const ValueObserver &observe = {});

/// Runs a whole model; kernels are transparent. `inputs` in the order of the model's, checked
/// against their types, which also gives the batch size. `constants` gives the values for which
/// Graph::is_constant() is true. Returns the outputs. `observe` sees every value that depends
/// on an input, in order.
std::optional<std::vector<Tensor>> interpret(const Graph &graph, const std::vector<Tensor> &inputs,
                                             const ValueProvider &constants,
                                             Diagnostics &diagnostics,
                                             const ValueObserver &observe = {});

} // namespace cnnc
