// The values of a graph's constants: of the sources (weight, splat, literal, random) and of the
// expressions that passes make of them, which stay expressions in the text.
#pragma once

#include "compiler/layout/tensor_layout.h"
#include "compiler/reference/evaluate.h"
#include "ir/weights/safetensors.h"

#include <filesystem>

namespace cnnc {

/// Where the weights of a text are unless the user names files: in the one that the text names, which
/// is relative to the model's folder, else in the model's own file name with .safetensors. Empty when
/// none of this says it: a text without a file (`model_file` empty or "-").
std::filesystem::path default_weights_path(const Graph &graph,
                                           const std::filesystem::path &model_file);

/// The tensors of a .safetensors file, or of an imported model.
struct NamedTensors {
  std::string file;                         // its name in messages
  std::vector<SafetensorsTensor> tensors;   // sorted by name
  std::shared_ptr<const void> owner;        // of their elements
  std::vector<std::filesystem::path> files; // that they lie in, beside the one of the model
};

/// What the weights of a model are taken from: each from the last of the files that has it, else from
/// the model.
struct WeightSources {
  std::shared_ptr<const NamedTensors> model; // an imported one; null for a text
  std::vector<std::filesystem::path> files;  // .safetensors
};

/// Evaluates constants one at a time; nothing is kept between calls, so that a large model never
/// has all its weights in memory as copies. May be used from several threads.
class Constants {
public:
  /// Opens the files when the graph has a `weight` at all, and reports every weight that is in none
  /// of the sources, has another shape or a type that does not convert. f32 takes F32, F16, BF16 and
  /// F64; other types take only their own.
  static std::optional<Constants> open(const Graph &graph, const WeightSources &sources,
                                       Diagnostics &diagnostics);

  /// The value of a constant (Graph::is_constant()) of the graph that was opened, or of one
  /// that passes have made of it: sorted and with types. A plain weight comes as a view of the
  /// tensors where type and alignment allow, hence does not outlive this object.
  std::optional<Tensor> value(const Graph &graph, ValueId id, Diagnostics &diagnostics) const;

  /// value() for one who copies bytes and looks at no element: a weight of the right type, under
  /// whatever shape, comes as a view although it may not be aligned for its type.
  std::optional<Tensor> bytes_of(const Graph &graph, ValueId id, Diagnostics &diagnostics) const;

  /// What weights are taken from, the last that has one; empty when the graph has none.
  const std::vector<std::shared_ptr<const NamedTensors>> &layers() const { return layers_; }

  /// The stored tensors of the graph's weights, each once, sorted by name.
  std::vector<SafetensorsTensor> stored_weights(const Graph &graph) const;

  /// The files that they are read from, beside the one of the model.
  std::vector<std::filesystem::path> files() const;

  /// value() for interpret(). Both must outlive it.
  ValueProvider provider(const Graph &graph) const;

private:
  struct Found {
    const SafetensorsTensor *tensor = nullptr; // null: there is none
    const NamedTensors *layer = nullptr;
  };
  Found find(std::string_view key) const;
  bool check_all(const Graph &graph, Diagnostics &diagnostics) const;
  bool check(const Weight &weight, const TensorType &type, const Node &node,
             Diagnostics &diagnostics) const;
  std::optional<Tensor> load(const Weight &weight, const TensorType &type, const Node &node,
                             Diagnostics &diagnostics) const;

  std::vector<std::shared_ptr<const NamedTensors>> layers_;
};

} // namespace cnnc
