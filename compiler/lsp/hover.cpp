#include "compiler/lsp/hover.h"

#include "compiler/analysis/cost.h"
#include "compiler/analysis/shape_rule.h"
#include "compiler/api/list_ops.h"
#include "compiler/support/with_separators.h"
#include "ir/graph/printer.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc::lsp {

namespace {

std::string code(std::string_view text) { return fmt::format("```cnnc\n{}\n```\n", text); }

std::string spell(const AxisField &axis) {
  if (axis.whole)
    return "all of the input";
  const std::string size =
      fmt::format("{} pixel{}", with_separators(axis.size), axis.size == 1 ? "" : "s");
  if (axis.stride == 0)
    return size;
  return fmt::format("{}, stride {}, from {}", size, with_separators(axis.stride),
                     with_separators(axis.start));
}

std::string spell(const ReceptiveField &field) {
  return field[0] == field[1] ? "receptive field: " + spell(field[0])
                              : fmt::format("receptive field: height {}; width {}", spell(field[0]),
                                            spell(field[1]));
}

/// What the node costs and sees, an item each; nothing of what is zero or not known.
std::vector<std::string> facts(const CheckedModel &model, const Node &node, ValueId result) {
  const Graph &graph = model.graph;
  std::vector<std::string> items;
  if (const int64_t count = parameters(graph, parameter_operands(graph, node)); count > 0)
    items.push_back("parameters: " + with_separators(count));
  if (const int64_t count = multiplications(graph, node); count > 0)
    items.push_back("multiplications: " + with_separators(count));
  if (const std::optional<ReceptiveField> &field = model.fields[result])
    items.push_back(spell(*field));
  return items;
}

std::string describe_node(const CheckedModel &model, const Node &node, ValueId result) {
  std::string text = code(to_string(model.graph, node));
  for (const std::string &fact : facts(model, node, result))
    text += "* " + fact + "\n";
  if (const std::vector<std::string> rule = shape_rule(model.graph, node); !rule.empty())
    text += fmt::format("\n```\n{}\n```\n", fmt::join(rule, "\n"));
  return text;
}

std::optional<std::string> describe_value(const CheckedModel &model, std::string_view name) {
  const std::optional<ValueId> id = model.graph.find_value(name);
  if (!id)
    return std::nullopt;
  if (const Node *node = producer_of(model.graph, name))
    return info_of(node->op).summary + "\n" + describe_node(model, *node, *id);
  const Value &input = model.graph.value(*id);
  return code(fmt::format("%{}: {}", format_name(input.name), to_string(*input.type))) +
         "input of the model";
}

const Node *node_of_op(const Graph &graph, const Token &token) {
  const auto found = std::ranges::find_if(graph.nodes, [&](const Node &node) {
    return node.range.known() && node.range.begin == token.range.begin;
  });
  return found == graph.nodes.end() ? nullptr : &*found;
}

/// The op of the definition around a token, by its name; null elsewhere.
const Token *op_around(const Document &document, const Section &section, const Token &token) {
  const std::vector<Token> &tokens = document.tokens();
  const auto index = static_cast<size_t>(&token - tokens.data());
  for (const Piece &piece : section.pieces) {
    if (piece.kind != PieceKind::definition || index < piece.first || index >= piece.end)
      continue;
    for (size_t i = piece.first; i < index + 1; ++i)
      if (is_punctuation(tokens[i], "=") && i + 1 < piece.end)
        return &tokens[i + 1];
  }
  return nullptr;
}

std::optional<std::string> describe_word(const Document &document, const Section &section,
                                         const Token &token) {
  const Token *op = op_around(document, section, token);
  const OpInfo *info = op ? find_op(op->text) : nullptr;
  if (!info)
    return std::nullopt;
  if (op != &token) {
    const auto attribute = std::ranges::find(info->attributes, token.text, &AttributeInfo::name);
    if (attribute == info->attributes.end())
      return std::nullopt;
    return code(cnnc::spell(*attribute)) + attribute->type + ", attribute of " + info->name;
  }
  const CheckedModel *model = document.model_of(section);
  const Node *node = model ? node_of_op(model->graph, token) : nullptr;
  return describe(*info) +
         (node ? "\n\n" + describe_node(*model, *node, node->results.front()) : std::string());
}

std::optional<std::string> describe_token(const Document &document, const Section &section,
                                          const Token &token) {
  if (token.kind == TokenKind::identifier)
    return describe_word(document, section, token);
  const CheckedModel *model = document.model_of(section);
  return model && token.kind == TokenKind::value ? describe_value(*model, token.text)
                                                 : std::nullopt;
}

} // namespace

std::string describe(const OpInfo &op) {
  std::string text = fmt::format("**{}**({}): {}", op.name, operands_of(op), op.summary);
  if (const std::string formula = formula_of(op); !formula.empty())
    text += fmt::format("\n\n```\n{}\n```", formula);
  for (const AttributeInfo &attribute : op.attributes)
    text += fmt::format("\n* `{}`", cnnc::spell(attribute));
  return text;
}

std::optional<HoverText> hover_at(const Document &document, uint32_t offset) {
  const Section *section = document.section_at(offset);
  const Token *token = document.token_at(offset);
  if (!section || !section->is_model || !token)
    return std::nullopt;
  std::optional<std::string> text = describe_token(document, *section, *token);
  return text ? std::optional(HoverText{std::move(*text), token->range}) : std::nullopt;
}

} // namespace cnnc::lsp
