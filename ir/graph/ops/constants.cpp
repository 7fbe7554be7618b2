#include "ir/graph/ops/constants.h"

#include "ir/graph/ops/checks.h"
#include "ir/text/lexer.h"

#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// The type that the text states, without its layout. `spelling` is the constant as it is written.
InferredTypes declared_type(InferContext &context, std::string_view spelling) {
  if (context.declared().empty())
    return context.error(fmt::format(
        "nothing tells the shape of a constant: write its type, as in {} : f32[6, 1, 5, 5]",
        spelling));
  TensorType type = *context.declared().front();
  type.layout = {};
  if (type.has_symbolic_batch())
    return context.error(
        fmt::format("a constant cannot have a symbolic dimension, as {} has", to_string(type)));
  return one_type(std::move(type));
}

} // namespace

InferredTypes Weight::infer(InferContext &context) const {
  if (key.empty())
    return context.error_at_attribute("name", "the name of a weight cannot be empty");
  return declared_type(context, "weight " + quote(key));
}

InferredTypes Splat::infer(InferContext &context) const {
  InferredTypes types = declared_type(context, "splat " + format_number(value));
  if (types && !fits(value, types->front().dtype))
    return context.error_at_attribute("value", fmt::format("{} is not a value of the type {}",
                                                           format_number(value),
                                                           name_of(types->front().dtype)));
  return types;
}

InferredTypes Literal::infer(InferContext &context) const {
  InferredTypes types = declared_type(context, "literal [...]");
  if (!types)
    return std::nullopt;
  const TensorType &type = types->front();
  std::optional<int64_t> count = element_count(type.shape);
  if (!count || *count != static_cast<int64_t>(values.size()))
    return context.error_at_attribute(
        "values", fmt::format("{} values are listed, but {} has {} elements", values.size(),
                              to_string(type), count ? std::to_string(*count) : "too many"));
  for (double value : values)
    if (!fits(value, type.dtype))
      return context.error_at_attribute("values",
                                        fmt::format("{} is not a value of the type {}",
                                                    format_number(value), name_of(type.dtype)));
  return types;
}

InferredTypes Random::infer(InferContext &context) const {
  std::string spelling =
      fmt::format("random({}, {})", seed, Words<RandomKind>::words[static_cast<size_t>(kind)]);
  InferredTypes types = declared_type(context, spelling);
  if (types && types->front().dtype != DType::f32)
    return context.error(
        fmt::format("random elements are of type f32, not {}", name_of(types->front().dtype)));
  return types;
}

} // namespace cnnc
