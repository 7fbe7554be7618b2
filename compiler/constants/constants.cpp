#include "compiler/constants/constants.h"

#include "compiler/constants/memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <ranges>

namespace cnnc {

namespace {

/// The range of the weight's name in the text, else of the op.
SourceRange name_range(const Node &node) {
  for (const auto &[attribute, range] : node.attribute_ranges)
    if (attribute == "name" && range.known())
      return range;
  return node.range;
}

/// Whether elements of a safetensors file's type become those of a constant's.
bool converts(std::string_view stored, DType dtype) {
  if (dtype == DType::f32 && (stored == "F16" || stored == "BF16" || stored == "F64"))
    return true;
  return stored == info_of(dtype).safetensors;
}

using Layers = std::vector<std::shared_ptr<const NamedTensors>>;

std::string suggestion(std::string_view key, const Layers &layers) {
  std::vector<std::string_view> names;
  for (const auto &layer : layers)
    for (const SafetensorsTensor &tensor : layer->tensors)
      names.push_back(tensor.name);
  std::string_view near = closest(key, names);
  return near.empty() ? std::string() : fmt::format("; did you mean {}?", quote(near));
}

std::string files_of(const Layers &layers) {
  std::string names;
  for (const auto &layer : layers)
    names += (names.empty() ? "" : " or ") + layer->file;
  return names;
}

} // namespace

std::filesystem::path default_weights_path(const Graph &graph,
                                           const std::filesystem::path &model_file) {
  if (!graph.weights_file.empty())
    return model_file.parent_path() / graph.weights_file;
  if (model_file.empty() || model_file == "-")
    return {};
  return std::filesystem::path(model_file).replace_extension(".safetensors");
}

namespace {

const Node *first_weight(const Graph &graph) {
  for (const Node &node : graph.nodes)
    if (std::holds_alternative<Weight>(node.op))
      return &node;
  return nullptr;
}

std::shared_ptr<const NamedTensors> open_file(const std::filesystem::path &path,
                                              Diagnostics &diagnostics) {
  std::optional<SafetensorsFile> opened = SafetensorsFile::open(path, diagnostics);
  if (!opened)
    return nullptr;
  auto file = std::make_shared<const SafetensorsFile>(std::move(*opened));
  return std::make_shared<const NamedTensors>(
      NamedTensors{path.string(), file->tensors(), file, {path}});
}

} // namespace

std::optional<Constants> Constants::open(const Graph &graph, const WeightSources &sources,
                                         Diagnostics &diagnostics) {
  Constants constants;
  const Node *weight = first_weight(graph);
  if (!weight)
    return constants;
  if (sources.model)
    constants.layers_.push_back(sources.model);
  for (const std::filesystem::path &path : sources.files) {
    std::shared_ptr<const NamedTensors> file = open_file(path, diagnostics);
    if (!file) {
      diagnostics.note(name_range(*weight), "the file is needed for this weight");
      return std::nullopt;
    }
    constants.layers_.push_back(std::move(file));
  }
  if (constants.layers_.empty()) {
    diagnostics.error(name_range(*weight), "no weights file is given for this weight");
    return std::nullopt;
  }
  return constants.check_all(graph, diagnostics) ? std::optional(std::move(constants))
                                                 : std::nullopt;
}

std::vector<SafetensorsTensor> Constants::stored_weights(const Graph &graph) const {
  std::map<std::string_view, const SafetensorsTensor *> stored;
  for (const Node &node : graph.nodes)
    if (const Weight *weight = std::get_if<Weight>(&node.op))
      stored.emplace(weight->key, find(weight->key).tensor);
  std::vector<SafetensorsTensor> tensors;
  for (const auto &[name, tensor] : stored)
    tensors.push_back(*tensor);
  return tensors;
}

std::vector<std::filesystem::path> Constants::files() const {
  std::vector<std::filesystem::path> files;
  for (const auto &layer : layers_)
    files.insert(files.end(), layer->files.begin(), layer->files.end());
  return files;
}

Constants::Found Constants::find(std::string_view key) const {
  for (const auto &layer : layers_ | std::views::reverse)
    if (const SafetensorsTensor *tensor = find_tensor(layer->tensors, key))
      return {tensor, layer.get()};
  return {};
}

bool Constants::check_all(const Graph &graph, Diagnostics &diagnostics) const {
  bool ok = true;
  for (const Node &node : graph.nodes)
    if (const Weight *weight = std::get_if<Weight>(&node.op))
      // A weight without a type is infer_shapes' to report.
      if (const std::optional<TensorType> &type = graph.value(node.results[0]).type)
        ok = check(*weight, *type, node, diagnostics) && ok;
  return ok;
}

bool Constants::check(const Weight &weight, const TensorType &type, const Node &node,
                      Diagnostics &diagnostics) const {
  auto error = [&](std::string message) {
    diagnostics.error(name_range(node), std::move(message));
    return false;
  };
  const auto [tensor, layer] = find(weight.key);
  if (!tensor)
    return error(fmt::format("there is no weight {} in {}{}", quote(weight.key), files_of(layers_),
                             suggestion(weight.key, layers_)));
  if (tensor->shape != type.shape)
    return error(fmt::format("weight {} has the shape {} in {}, not {}", quote(weight.key),
                             to_string(tensor->shape), layer->file,
                             to_string(type.shape, type.batch_name)));
  if (!converts(tensor->dtype, type.dtype))
    return error(fmt::format("weight {} has elements of type {} in {}, which do not convert to {}",
                             quote(weight.key), tensor->dtype, layer->file, name_of(type.dtype)));
  return true;
}

std::optional<Tensor> Constants::load(const Weight &weight, const TensorType &type,
                                      const Node &node, Diagnostics &diagnostics) const {
  if (!check(weight, type, node, diagnostics))
    return std::nullopt;
  const SafetensorsTensor &stored = *find(weight.key).tensor;
  bool same_type = stored.dtype == info_of(type.dtype).safetensors;
  auto address = reinterpret_cast<uintptr_t>(stored.data.data());
  if (same_type && address % static_cast<uintptr_t>(size_of(type.dtype)) == 0)
    return Tensor::view(type, stored.data);
  Tensor tensor(type);
  if (same_type)
    std::copy(stored.data.begin(), stored.data.end(), tensor.mutable_bytes().begin());
  else
    convert_to_f32(stored, tensor.mutable_floats());
  return tensor;
}

std::optional<Tensor> Constants::bytes_of(const Graph &graph, ValueId id,
                                          Diagnostics &diagnostics) const {
  auto producer = [&](ValueId value) -> const Node & {
    return graph.nodes[graph.value(value).producer];
  };
  ValueId source = id;
  while (traits_of(producer(source).op).view == View::whole ||
         std::holds_alternative<Relayout>(producer(source).op))
    source = producer(source).operands[0];
  const Weight *weight = std::get_if<Weight>(&producer(source).op);
  const TensorType type = logical_type(graph.type(id), 1);
  const SafetensorsTensor *stored = weight ? find(weight->key).tensor : nullptr;
  if (!stored || stored->dtype != info_of(type.dtype).safetensors)
    return value(graph, id, diagnostics);
  return Tensor::view(type, stored->data);
}

std::optional<Tensor> Constants::value(const Graph &graph, ValueId id,
                                       Diagnostics &diagnostics) const {
  auto weights = [&](ValueId leaf, Diagnostics &to) {
    const Node &node = graph.nodes[graph.value(leaf).producer];
    return load(std::get<Weight>(node.op), logical_type(graph.type(leaf), 1), node, to);
  };
  std::optional<std::vector<Tensor>> values =
      run_nodes(graph, expression_of(graph, id), {id}, weights, 1, diagnostics);
  return values ? std::optional(std::move(values->front())) : std::nullopt;
}

ValueProvider Constants::provider(const Graph &graph) const {
  return [this, &graph](ValueId id, Diagnostics &diagnostics) {
    return value(graph, id, diagnostics);
  };
}

} // namespace cnnc
