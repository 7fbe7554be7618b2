#include "ir/graph/attribute_parser.h"

namespace cnnc {

namespace {

std::optional<AttributeValue> parse_scalar(TokenCursor &cursor) {
  const bool negative = cursor.is("-");
  const Token &token = cursor.peek(negative ? 1 : 0);
  if (token.kind == TokenKind::integer && !(negative && token.integer == 0)) { // -0 has a sign
    std::optional<int64_t> value = cursor.expect_integer("a value");
    return value ? std::optional(AttributeValue(*value)) : std::nullopt;
  }
  std::optional<double> value = cursor.expect_number("a value");
  return value ? std::optional(AttributeValue(*value)) : std::nullopt;
}

std::optional<AttributeValue> parse_list(TokenCursor &cursor) {
  std::vector<int64_t> integers;
  std::vector<double> numbers;
  bool all_integers = true;
  cursor.next(); // [
  if (!cursor.is("]"))
    do {
      std::optional<AttributeValue> item = parse_scalar(cursor);
      if (!item)
        return std::nullopt;
      const int64_t *integer = std::get_if<int64_t>(&*item);
      all_integers = all_integers && integer;
      integers.push_back(integer ? *integer : 0);
      numbers.push_back(integer ? static_cast<double>(*integer) : std::get<double>(*item));
    } while (cursor.accept(","));
  if (!cursor.expect("]"))
    return std::nullopt;
  return all_integers ? AttributeValue(integers) : AttributeValue(numbers);
}

} // namespace

std::optional<AttributeValue> parse_attribute_value(TokenCursor &cursor) {
  const Token &token = cursor.peek();
  if (token.kind == TokenKind::string)
    return AttributeValue(cursor.next().text);
  if (cursor.is("["))
    return parse_list(cursor);
  if (token.kind == TokenKind::identifier && token.text != "inf" && token.text != "nan") {
    std::string word = cursor.next().text;
    if (word == "true" || word == "false")
      return AttributeValue(word == "true");
    return AttributeValue(Word{word});
  }
  return parse_scalar(cursor);
}

} // namespace cnnc
