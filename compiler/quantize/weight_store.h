// Weights that are made here, rather than read from files.
#pragma once

#include "compiler/constants/constants.h"

#include <map>

namespace cnnc {

class WeightStore {
public:
  /// Under a name that none has yet. The store keeps a copy of elements that belong to others.
  void add(const std::string &name, const Tensor &tensor);
  void replace(const std::string &name, const Tensor &tensor) { tensors_.at(name) = tensor; }
  const Tensor &find(const std::string &name) const { return tensors_.at(name); }

  /// What a graph reads of them, for Model::Content::tensors.
  std::shared_ptr<const NamedTensors> tensors_of(const Graph &graph) const;

private:
  std::map<std::string, Tensor> tensors_;
};

/// Computes the constants that a graph reads other than in constant arithmetic: each becomes a
/// `weight` in the store, named after its value. Those that the text spells out stay. Returns false
/// after reporting what cannot be computed.
bool store_constants(Graph &graph, const Constants &constants, WeightStore &store,
                     Diagnostics &diagnostics);

} // namespace cnnc
