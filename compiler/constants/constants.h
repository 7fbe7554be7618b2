// The values of a graph's constants: of the sources (weight, splat, literal, random) and of the
// expressions that passes make of them, which stay expressions in the text.
#pragma once

#include "compiler/layout/tensor_layout.h"
#include "compiler/reference/evaluate.h"
#include "ir/weights/safetensors.h"

#include <filesystem>

namespace cnnc {

/// Where the weights of a model are: the file that the user names (`option`), else the one that the
/// model's text names, which is relative to the model's folder, else the model's own file name with
/// .safetensors. Empty when none of this says it: a text without a file (`model_file` empty or
/// "-").
std::filesystem::path resolve_weights_path(const Graph &graph,
                                           const std::filesystem::path &model_file,
                                           const std::filesystem::path &option);

/// What the weights of a model are taken from: a .safetensors file, or an imported model.
struct NamedTensors {
  std::string file;                         // its name in messages
  std::vector<SafetensorsTensor> tensors;   // sorted by name
  std::shared_ptr<const void> owner;        // of their elements
  std::vector<std::filesystem::path> files; // that they lie in, beside the one of the model
};

/// Evaluates constants one at a time; nothing is kept between calls, so that a large model never
/// has all its weights in memory as copies. May be used from several threads.
class Constants {
public:
  /// Opens the file when the graph has a `weight` at all, and reports every weight that is not in
  /// it, has another shape or a type that does not convert. f32 takes F32, F16, BF16 and F64; other
  /// types take only their own.
  static std::optional<Constants>
  open(const Graph &graph, const std::filesystem::path &weights_file, Diagnostics &diagnostics);
  /// The same with tensors that are in memory already.
  static std::optional<Constants> from_tensors(const Graph &graph,
                                               std::shared_ptr<const NamedTensors> tensors,
                                               Diagnostics &diagnostics);

  /// The value of a constant (Graph::is_constant()) of the graph that was opened, or of one
  /// that passes have made of it: sorted and with types. A plain weight comes as a view of the
  /// tensors where type and alignment allow, hence does not outlive this object.
  std::optional<Tensor> value(const Graph &graph, ValueId id, Diagnostics &diagnostics) const;

  /// value() for one who copies bytes and looks at no element: a weight of the right type, under
  /// whatever shape, comes as a view although it may not be aligned for its type.
  std::optional<Tensor> bytes_of(const Graph &graph, ValueId id, Diagnostics &diagnostics) const;

  /// The files that they are read from, beside the one of the model.
  std::vector<std::filesystem::path> files() const;

  /// value() for interpret(). Both must outlive it.
  ValueProvider provider(const Graph &graph) const;

private:
  bool check_all(const Graph &graph, Diagnostics &diagnostics) const;
  bool check(const Weight &weight, const TensorType &type, const Node &node,
             Diagnostics &diagnostics) const;
  std::optional<Tensor> load(const Weight &weight, const TensorType &type, const Node &node,
                             Diagnostics &diagnostics) const;

  std::shared_ptr<const NamedTensors> tensors_; // null when the graph has no weights
};

} // namespace cnnc
