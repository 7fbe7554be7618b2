#include "compiler/reference/evaluate.h"
#include "compiler/reference/compute.h"

#include <fmt/format.h>

namespace cnnc {

std::optional<std::vector<Tensor>> evaluate(const Op &op,
                                            const std::vector<const Tensor *> &operands,
                                            const std::vector<TensorType> &result_types,
                                            Diagnostics &diagnostics) {
  using Result = std::optional<std::vector<Tensor>>;
  auto without_value = [&](std::string_view why) -> Result {
    diagnostics.error(
        fmt::format("'{}' can't be computed by the reference: {}", info_of(op).name, why));
    return std::nullopt;
  };
  return std::visit(
      overloaded{[&](const Weight &) { return without_value("its value is in a file"); },
                 [&](const Call &) { return without_value("its kernel is in the loops text"); },
                 [&](const auto &concrete) -> Result {
                   return reference::compute(concrete, operands, result_types);
                 }},
      op);
}

} // namespace cnnc
