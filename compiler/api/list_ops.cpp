// The list of ops for people and for the documentation, from the op table.
#include "compiler/api/list_ops.h"

#include "compiler/cnnc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string escape_bars(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '|' ? std::string("\\|") : std::string(1, c);
  return result;
}

} // namespace

std::string list_ops(bool markdown) {
  if (!markdown) {
    std::string result;
    for (const OpInfo &op : op_table()) {
      result += fmt::format("{:<18} {}\n", op.name, op.summary);
      for (const std::string &line : {operands_of(op), attributes_of(op)})
        if (!line.empty())
          result += fmt::format("{:<18}   {}\n", "", line);
    }
    return result;
  }
  std::string result = "| op | operands | attributes | what it computes |\n|---|---|---|---|\n";
  for (const OpInfo &op : op_table())
    result += fmt::format("| `{}` | {} | {} | {} |\n", op.name, operands_of(op),
                          escape_bars(attributes_of(op)), escape_bars(op.summary));
  return result;
}

} // namespace cnnc
