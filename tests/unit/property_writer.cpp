#include "tests/unit/property_writer.h"

namespace cnnc::random_models {

std::string list(const Shape &numbers) { return fmt::format("[{}]", fmt::join(numbers, ", ")); }

std::string one_op(Writer &writer, const std::string &expression) {
  return writer.model({writer.value(expression)});
}

std::string parameter(Choices &r, Writer &writer, const Shape &shape) {
  if (r.between(0, 9) == 0)
    return writer.input(shape, false);
  return shape.size() > 1 ? writer.normal(shape) : writer.uniform(shape);
}

void choose_window(Choices &r, Conv &conv) {
  Shape *kernel = &conv.kernel;
  switch (r.between(0, 4)) {
  case 0:
    *kernel = {1, r.between(1, 5)};
    break;
  case 1:
    *kernel = {r.between(1, 5), 1};
    break;
  case 2:
    *kernel = {3, 3};
    break;
  default:
    *kernel = {r.between(1, 5), r.between(1, 5)};
  }
  if (r.flip())
    conv.stride = {r.between(1, 4), r.between(1, 4)};
  if (r.between(0, 3) == 0)
    conv.dilation = {r.between(1, 3), r.between(1, 3)};
  for (int64_t &pad : conv.pad)
    pad = r.between(0, 2) ? r.between(0, 3) : 0;
  conv.widen(0, 1);
  conv.widen(1, 1);
}

Shape image(Choices &r) {
  return {r.between(1, 3), r.between(1, 70), r.between(1, 9), r.between(1, 19)};
}

Shape any_shape(Choices &r, int64_t least_rank) {
  if (r.flip())
    return image(r);
  Shape shape;
  for (int64_t i = r.between(least_rank, 5); i > 0; --i)
    shape.push_back(r.between(1, shape.empty() ? 40 : 7));
  return shape;
}

std::string batch_norm_of(Choices &r, Writer &writer, const std::string &x, int64_t channels) {
  std::string scale = writer.uniform({channels}), bias = writer.normal({channels});
  std::string mean = writer.normal({channels}), variance = writer.uniform({channels});
  return writer.value(fmt::format("batch_norm {}, {}, {}, {}, {}{}", x, scale, bias, mean, variance,
                                  r.flip() ? " epsilon=0.001" : ""));
}

std::string slice_of(Choices &r, const std::string &x, const Shape &shape, size_t first_axis) {
  Shape starts, ends, axes, steps;
  for (size_t axis = first_axis; axis < shape.size(); ++axis) {
    if (r.flip() && !(axis + 1 == shape.size() && axes.empty()))
      continue;
    int64_t size = shape[axis], step = r.one_of<int64_t>({1, 1, 2, 3, -1, -2});
    int64_t low = r.between(0, size - 1), high = r.between(low, size - 1);
    axes.push_back(static_cast<int64_t>(axis));
    steps.push_back(step);
    starts.push_back(step > 0 ? low : high);
    int64_t from_end = high + 1 < size ? high + 1 - size : size;
    ends.push_back(step > 0 ? r.one_of({high + 1, from_end, size + 9}) : -1 - size);
  }
  return fmt::format("slice {} starts={} ends={} axes={} steps={}", x, list(starts), list(ends),
                     list(axes), list(steps));
}

std::string pad_of(Choices &r, const std::string &x, const Shape &shape, size_t first_axis) {
  std::string mode = r.one_of({"constant", "constant value=-2.5", "reflect", "edge", "wrap"});
  Shape before, after;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t most = i < first_axis ? 0 : mode == "reflect" ? std::min<int64_t>(3, shape[i] - 1) : 3;
    before.push_back(r.flip() ? r.between(0, most) : 0);
    after.push_back(r.flip() ? r.between(0, most) : 0);
  }
  return fmt::format("pad {} before={} after={} mode={}", x, list(before), list(after), mode);
}

} // namespace cnnc::random_models
