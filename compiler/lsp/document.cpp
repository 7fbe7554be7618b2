#include "compiler/lsp/document.h"

#include "compiler/api/check_incomplete.h"
#include "compiler/graph_passes/infer_shapes.h"
#include "ir/graph/verifier.h"
#include "ir/loop/verifier.h"

#include <algorithm>

namespace cnnc::lsp {

namespace {

std::vector<Token> tokens_of(const std::shared_ptr<const Source> &source) {
  Diagnostics reported_by_the_parser;
  return tokenize(source, reported_by_the_parser);
}

/// Takes the nodes out of a graph one of whose operands or results is wrong.
void erase_wrong(Graph &graph, const std::vector<bool> &wrong) {
  auto is_wrong = [&](ValueId id) { return wrong[id]; };
  std::vector<bool> dead(graph.nodes.size(), false);
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    dead[id] = std::ranges::any_of(graph.nodes[id].results, is_wrong);
  std::erase_if(graph.outputs, is_wrong);
  graph.updated.clear(); // says nothing of types
  graph.erase_nodes(dead);
}

} // namespace

Document::Document(std::string name, std::string text)
    : source_(std::make_shared<const Source>(Source{std::move(name), std::move(text)})),
      positions_(source_->text), tokens_(tokens_of(source_)), sections_(outline(tokens_)) {
  check();
}

void Document::check() {
  Module incomplete;
  written_ = parse_module(source_, diagnostics_, &incomplete);
  const bool complete = written_.has_value();
  if (complete)
    incomplete = *written_;
  for (const loop::Kernel &kernel : incomplete.kernels)
    if (loop::verify(kernel, diagnostics_))
      loop::verify_schedule(kernel, diagnostics_);
  for (Graph &graph : incomplete.models) {
    std::vector<bool> wrong;
    if (!complete)
      wrong = check_incomplete(graph, diagnostics_);
    else if (verify(graph, diagnostics_))
      infer_shapes(graph, diagnostics_, wrong);
    else
      continue;
    keep(std::move(graph), wrong);
  }
  diagnostics_.sort_by_position();
}

void Document::keep(Graph graph, const std::vector<bool> &wrong) {
  erase_wrong(graph, wrong);
  std::vector<std::optional<ReceptiveField>> fields = receptive_fields(graph);
  models_.push_back({std::move(graph), std::move(fields)});
}

const Token *Document::token_at(uint32_t offset) const {
  auto next = std::ranges::upper_bound(tokens_, offset, {},
                                       [](const Token &token) { return token.range.begin; });
  if (next == tokens_.begin())
    return nullptr;
  const Token &token = *std::prev(next);
  if (token.range.end > offset)
    return &token;
  return token.range.end == offset && token.kind != TokenKind::end ? &token : nullptr;
}

const Section *Document::section_at(uint32_t offset) const {
  for (const Section &section : sections_)
    if (const SourceRange range = range_of(section); range.begin <= offset && offset <= range.end)
      return &section;
  return nullptr;
}

SourceRange Document::range_of(const Section &section) const {
  return join(tokens_[section.first].range, tokens_[section.end - 1].range);
}

SourceRange Document::range_of(const Piece &piece) const {
  return join(tokens_[piece.first].range, tokens_[piece.end - 1].range);
}

const CheckedModel *Document::model_of(const Section &section) const {
  const uint32_t begin = section.name(tokens_).range.begin;
  for (const CheckedModel &model : models_)
    if (model.graph.range.known() && model.graph.range.begin == begin)
      return &model;
  return nullptr;
}

const Node *producer_of(const Graph &graph, std::string_view value_name) {
  const std::optional<ValueId> id = graph.find_value(value_name);
  if (!id || graph.is_input(*id))
    return nullptr;
  return &graph.nodes[graph.value(*id).producer];
}

} // namespace cnnc::lsp
