#include "compiler/reference/evaluate.h"
#include "compiler/reference/compute.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

/// Ops with a function compute() in compute.h.
template <class T>
concept Computed = requires(const T &op) {
  reference::compute(op, {}, {});
};

} // namespace

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
  return match(
      op, [&](const Weight &) { return without_value("its value is in a file"); },
      [&](const Call &) { return without_value("its kernel is in the loops text"); },
      [&](const Computed auto &concrete) -> Result {
        return reference::compute(concrete, operands, result_types);
      });
}

} // namespace cnnc
