// The list of ops for people, for programs and for the documentation, from the op table.
#include "compiler/api/list_ops.h"

#include "compiler/analysis/definition.h"
#include "compiler/cnnc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace cnnc {

std::string operands_of(const OpInfo &op) {
  std::vector<std::string> operands;
  for (const OperandInfo &operand : op.operands)
    operands.push_back(operand.name + (operand.optional ? "?" : operand.variadic ? "..." : ""));
  return fmt::format("{}", fmt::join(operands, ", "));
}

std::string spell(const AttributeInfo &attribute) {
  return attribute.required
             ? fmt::format("{}: {}", attribute.name, attribute.type)
             : fmt::format("{}={}", attribute.name, to_string(attribute.default_value));
}

std::string attributes_of(const OpInfo &op) {
  std::vector<std::string> attributes;
  for (const AttributeInfo &attribute : op.attributes)
    attributes.push_back(spell(attribute));
  return fmt::format("{}", fmt::join(attributes, ", "));
}

namespace {

using Json = nlohmann::ordered_json;

std::string escape_bars(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '|' ? std::string("\\|") : std::string(1, c);
  return result;
}

/// A word for the table; empty for constants, of which there is no question.
std::string_view spell(GradientRule rule) {
  switch (rule) {
  case GradientRule::given:
    return "yes";
  case GradientRule::zero:
    return "zero";
  case GradientRule::missing:
    return "no";
  case GradientRule::constant:
    break;
  }
  return "";
}

std::string text_of(const OpInfo &op) {
  const std::string formula = formula_of(op);
  std::string result = fmt::format("{:<18} {}\n", op.name, op.summary);
  for (const std::string &line : {operands_of(op), attributes_of(op), formula})
    if (!line.empty())
      result += fmt::format("{:<18}   {}\n", "", line);
  return result;
}

std::string row_of(const OpInfo &op) {
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", op.name, operands_of(op),
                     escape_bars(attributes_of(op)), escape_bars(op.summary),
                     spell(gradient_rule(op.make())));
}

Json json_of(const OpInfo &op) {
  const Op made = op.make();
  const Definition definition = definition_of(made);
  Json operands = Json::array(), attributes = Json::array();
  for (const OperandInfo &operand : op.operands)
    operands.push_back(
        {{"name", operand.name}, {"optional", operand.optional}, {"variadic", operand.variadic}});
  for (const AttributeInfo &attribute : op.attributes)
    attributes.push_back(
        {{"name", attribute.name},
         {"type", attribute.type},
         {"default", attribute.required ? Json() : Json(to_string(attribute.default_value))}});
  return {{"name", op.name},
          {"category", to_string(category_of(made))},
          {"summary", op.summary},
          {"operands", operands},
          {"attributes", attributes},
          {"formula", definition.formula},
          {"shape", definition.shape},
          {"size", definition.size},
          {"gradient", spell(gradient_rule(made))}};
}

} // namespace

std::string formula_of(const OpInfo &op) {
  const std::string formula = definition_of(op.make()).formula;
  return formula == op.summary ? std::string() : formula;
}

std::string list_ops(ListFormat format) {
  if (format == ListFormat::json) {
    Json list = Json::array();
    for (const OpInfo &op : op_table())
      list.push_back(json_of(op));
    return list.dump(2) + "\n";
  }
  const bool markdown = format == ListFormat::markdown;
  std::string result = markdown ? "| op | operands | attributes | what it computes | gradient |\n"
                                  "|---|---|---|---|---|\n"
                                : "";
  for (const OpInfo &op : op_table())
    result += markdown ? row_of(op) : text_of(op);
  return result;
}

} // namespace cnnc
