// Smaller and smaller models, with the weights that they still read.
#include "compiler/reduce/reduce.h"
#include "compiler/api/session.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace cnnc {

namespace {

/// Of the tensors those that the model reads.
std::shared_ptr<const NamedTensors> tensors_of(const Graph &graph,
                                               const std::shared_ptr<const NamedTensors> &all) {
  auto result = std::make_shared<NamedTensors>();
  if (!all)
    return result;
  *result = *all;
  std::set<std::string_view> read;
  for (const Node &node : graph.nodes)
    if (const Weight *weight = std::get_if<Weight>(&node.op))
      read.insert(weight->key);
  std::erase_if(result->tensors,
                [&](const SafetensorsTensor &tensor) { return !read.contains(tensor.name); });
  return result;
}

Model model_of(Module module, const std::shared_ptr<const NamedTensors> &tensors) {
  auto content = std::make_shared<Model::Content>();
  content->module = std::move(module);
  content->tensors = tensors_of(content->module.models.front(), tensors);
  return Model(std::move(content));
}

/// The chosen model as it was written, and its weights, after a look for mistakes in it.
Result<Session> open_unchanged(const Model &model, const Options &options) {
  Opening opening{true, type_pipeline(), {}, ""};
  if (Result<Session> checked = Session::open(model, options, opening); !checked)
    return checked;
  opening.passes.clear();
  return Session::open(model, options, opening);
}

/// The weights that open_constants() finds, of whatever files; null for a model without any.
Result<std::shared_ptr<const NamedTensors>> open_tensors(Session &session) {
  const std::optional<Constants> constants = session.open_constants();
  if (!constants)
    return session.error();
  if (constants->layers().empty())
    return std::shared_ptr<const NamedTensors>();
  auto owner = std::make_shared<const Constants>(*constants);
  return std::make_shared<const NamedTensors>(NamedTensors{
      owner->layers().back()->file, owner->stored_weights(session.model()), owner, owner->files()});
}

std::string describe(std::string_view change, const Module &module, size_t tried) {
  const size_t ops = std::ranges::count_if(module.models.front().nodes, [](const Node &node) {
    return category_of(node.op) != Category::constant;
  });
  return fmt::format("{}: {} op{}, {} bytes, {} models tried", change, ops, ops == 1 ? "" : "s",
                     to_string(module).size(), tried);
}

} // namespace

Result<Model> reduce(const Model &model, const std::function<bool(const Model &)> &test,
                     const Options &options) {
  Options asked = options;
  asked.passes.reset();
  asked.gradients.reset();
  asked.training.reset();
  Result<Session> session = open_unchanged(model, asked);
  if (!session)
    return Error{std::string(session.error())};
  Result<std::shared_ptr<const NamedTensors>> tensors = open_tensors(*session);
  if (!tensors)
    return Error{std::string(tensors.error())};
  session->model().weights_file.clear(); // they will stand beside the text
  auto observe = [&](std::string_view change, const Module &smaller, size_t tried) {
    if (options.remark)
      options.remark(describe(change, smaller, tried));
  };
  std::optional<Module> result = reduce_module(
      session->module(), [&](const Module &module) { return test(model_of(module, *tensors)); },
      observe);
  if (!result)
    return Error{"cnnc: error: there is nothing to reduce: the test does not succeed for the model "
                 "as it is\n"};
  return model_of(std::move(*result), *tensors);
}

} // namespace cnnc
