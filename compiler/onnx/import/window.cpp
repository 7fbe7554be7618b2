#include "compiler/onnx/import/window.h"

#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>

namespace cnnc {

namespace {

/// Windows are larger in no network, and the product with a dimension cannot overflow.
constexpr int64_t largest_window = int64_t(1) << 22;
static_assert(largest_dim < std::numeric_limits<int64_t>::max() / largest_window);

bool check_range(OnnxNode &node, std::string_view name, const std::vector<int64_t> &values,
                 size_t count, int64_t least) {
  bool ok = values.size() == count && std::ranges::all_of(values, [&](int64_t value) {
              return value >= least && value <= largest_window;
            });
  return ok || node.fail(fmt::format("'{}' must be {} numbers between {} and {}, but is [{}]", name,
                                     count, least, largest_window, fmt::join(values, ", ")));
}

/// Pads so that an output has ceil(input / stride) elements.
void pad_same(Windows &windows, const std::vector<int64_t> &shape, bool more_at_end) {
  for (size_t i = 0; i < windows.rank(); ++i) {
    int64_t input = shape[i + 2], stride = windows.stride[i];
    int64_t outputs = (input + stride - 1) / stride;
    int64_t extent = windows.dilation[i] * (windows.kernel[i] - 1) + 1;
    int64_t total = std::max<int64_t>(0, (outputs - 1) * stride + extent - input);
    int64_t less = total / 2;
    windows.before[i] = more_at_end ? less : total - less;
    windows.after[i] = total - windows.before[i];
  }
}

bool read_pads(OnnxNode &node, const std::vector<int64_t> &shape, Windows &windows) {
  size_t rank = windows.rank();
  windows.before.assign(rank, 0);
  windows.after.assign(rank, 0);
  std::string mode = node.word("auto_pad", "NOTSET");
  std::vector<int64_t> pads = node.integers("pads").value_or(std::vector<int64_t>(2 * rank, 0));
  if (!check_range(node, "pads", pads, 2 * rank, 0))
    return false;
  if (mode == "NOTSET") {
    windows.before.assign(pads.begin(), pads.begin() + static_cast<ptrdiff_t>(rank));
    windows.after.assign(pads.begin() + static_cast<ptrdiff_t>(rank), pads.end());
    return true;
  }
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    pad_same(windows, shape, mode == "SAME_UPPER");
    return true;
  }
  return mode == "VALID" ||
         node.fail(fmt::format("'auto_pad' is '{}', but must be NOTSET, SAME_UPPER, SAME_LOWER or "
                               "VALID",
                               printable(mode)));
}

} // namespace

std::optional<Windows> read_windows(OnnxNode &node, const std::vector<int64_t> &shape,
                                    std::vector<int64_t> kernel) {
  size_t rank = shape.size() - 2;
  std::optional<std::vector<int64_t>> stated = node.integers("kernel_shape");
  if (!stated && kernel.empty()) {
    node.fail("it has no 'kernel_shape'");
    return std::nullopt;
  }
  if (stated && !kernel.empty() && *stated != kernel) {
    node.fail(fmt::format("'kernel_shape' is [{}], but the filter's is [{}]",
                          fmt::join(*stated, ", "), fmt::join(kernel, ", ")));
    return std::nullopt;
  }
  Windows windows;
  std::vector<int64_t> ones(rank, 1);
  windows.kernel = stated.value_or(kernel);
  windows.stride = node.integers("strides").value_or(ones);
  windows.dilation = node.integers("dilations").value_or(ones);
  if (!check_range(node, "kernel_shape", windows.kernel, rank, 1) ||
      !check_range(node, "strides", windows.stride, rank, 1) ||
      !check_range(node, "dilations", windows.dilation, rank, 1))
    return std::nullopt;
  for (size_t i = 0; i < rank; ++i)
    if (windows.kernel[i] > 1 && windows.dilation[i] > largest_window / windows.kernel[i]) {
      node.fail(fmt::format("its windows of {} elements, {} apart, are longer than the {} allowed",
                            windows.kernel[i], windows.dilation[i], largest_window));
      return std::nullopt;
    }
  return read_pads(node, shape, windows) ? std::optional(windows) : std::nullopt;
}

std::vector<int64_t> two(const std::vector<int64_t> &values, int64_t other) {
  return values.size() == 1 ? std::vector<int64_t>{other, values[0]} : values;
}

std::vector<int64_t> pads_of_two(const Windows &windows) {
  std::vector<int64_t> pads = two(windows.before, 0), after = two(windows.after, 0);
  pads.insert(pads.end(), after.begin(), after.end());
  return pads;
}

ValueId as_rows(OnnxNode &node, ValueId value) {
  if (value == no_id || node.type_of(value).rank() != 3)
    return value;
  std::vector<int64_t> shape = node.type_of(value).shape;
  shape.insert(shape.end() - 1, 1);
  return reshaped(node, value, std::move(shape));
}

ValueId from_rows(OnnxNode &node, ValueId value, size_t spatial_rank) {
  if (value == no_id || spatial_rank != 1)
    return value;
  std::vector<int64_t> shape = node.type_of(value).shape;
  shape.erase(shape.end() - 2);
  return reshaped(node, value, std::move(shape));
}

} // namespace cnnc
