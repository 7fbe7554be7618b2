// Types in the text, with their layouts: f32[1, 3, 224, 224] nchw16c halo=[1, 1, 1, 1], or
// f32[64, 64, 3, 3] winograd(4) oihw64i16o.
#include "ir/type/parser.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

bool parse_shape(TokenCursor &cursor, TensorType &type) {
  if (!cursor.expect("["))
    return false;
  if (cursor.accept("]"))
    return true;
  do {
    const Token token = cursor.peek();
    if (token.kind == TokenKind::identifier) {
      if (!type.shape.empty())
        return cursor.error(
            fmt::format("only the first dimension, the batch, may be symbolic: '{}'", token.text));
      type.batch_name = token.text;
      type.shape.push_back(symbolic_dim);
      cursor.next();
      continue;
    }
    std::optional<int64_t> dim = cursor.expect_integer("a dimension");
    if (!dim)
      return false;
    if (*dim < 0 || *dim > largest_dim) {
      cursor.error_at(token.range,
                      fmt::format("the dimension {} is not between 0 and {}", *dim, largest_dim));
      return false;
    }
    type.shape.push_back(*dim);
  } while (cursor.accept(","));
  return cursor.expect("]");
}

bool parse_halo(TokenCursor &cursor, TensorType &type) {
  SourceRange range = cursor.peek().range;
  cursor.next(); // halo
  if (!cursor.expect("=") || !cursor.expect("["))
    return false;
  for (size_t i = 0; i < 4; ++i) {
    std::optional<int64_t> size = cursor.expect_integer("a halo size");
    if (!size || (i < 3 && !cursor.expect(",")))
      return false;
    if (*size < 0 || *size > 4096)
      return cursor.error(fmt::format("the halo size {} is not between 0 and 4096", *size));
    type.layout.halo[i] = *size;
  }
  if (!cursor.expect("]"))
    return false;
  if (cursor.accept(":")) {
    const SourceRange value_range = cursor.peek().range;
    std::optional<int64_t> value = cursor.expect_integer("what the halo holds");
    if (!value)
      return false;
    const bool filled = is_integer(type.dtype) && size_of(type.dtype) <= 2;
    if (filled ? *value < least_of(type.dtype) || *value > largest_of(type.dtype) : *value != 0) {
      cursor.error_at(value_range,
                      fmt::format("a halo of {} holds {}, not {}", name_of(type.dtype),
                                  filled ? fmt::format("numbers from {} to {}",
                                                       least_of(type.dtype), largest_of(type.dtype))
                                         : "zeros",
                                  *value));
      return false;
    }
    type.layout.halo_value = *value;
  }
  if (type.rank() < 2) {
    cursor.error_at(range, "a halo needs at least two dimensions");
    return false;
  }
  return true;
}

bool parse_winograd(TokenCursor &cursor, TensorType &type) {
  SourceRange range = cursor.peek().range;
  cursor.next(); // winograd
  if (!cursor.expect("("))
    return false;
  SourceRange tile_range = cursor.peek().range;
  std::optional<int64_t> tile = cursor.expect_integer("the size of Winograd's output tile");
  if (!tile || !cursor.expect(")"))
    return false;
  if (*tile < smallest_winograd || *tile > largest_winograd) {
    cursor.error_at(tile_range, fmt::format("Winograd's tile is between {} and {}, but this is {}",
                                            smallest_winograd, largest_winograd, *tile));
    return false;
  }
  if (type.rank() != 4 || type.shape[2] != 3 || type.shape[3] != 3) {
    cursor.error_at(range, "only filters [oc, ic, 3, 3] have a Winograd transform");
    return false;
  }
  type.layout.winograd = *tile;
  return true;
}

} // namespace

std::optional<TensorType> parse_type(TokenCursor &cursor) {
  std::optional<Token> name = cursor.expect(TokenKind::identifier, "a type, as in f32[1, 3, 8, 8]");
  if (!name)
    return std::nullopt;
  TensorType type;
  std::optional<DType> dtype = dtype_named(name->text);
  if (!dtype) {
    cursor.error_at(name->range, fmt::format("there is no element type '{}': there are {}",
                                             name->text, dtype_names()));
    return std::nullopt;
  }
  type.dtype = *dtype;
  if (!parse_shape(cursor, type))
    return std::nullopt;
  if (cursor.is_word("winograd") && cursor.peek(1).text == "(" && !parse_winograd(cursor, type))
    return std::nullopt;
  const Token &word = cursor.peek();
  if (word.kind == TokenKind::identifier && cursor.peek(1).text != "=")
    if (std::optional<std::vector<Block>> blocks = parse_layout(word.text, type.rank())) {
      type.layout.blocks = std::move(*blocks);
      cursor.next();
    }
  if (cursor.is_word("halo") && !parse_halo(cursor, type))
    return std::nullopt;
  if (!byte_size(type)) {
    cursor.error_at(name->range, fmt::format("{} has too many elements", to_string(type)));
    return std::nullopt;
  }
  return type;
}

} // namespace cnnc
