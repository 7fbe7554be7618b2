#include "compiler/schedule/elementwise.h"

#include "compiler/lowering/loops.h"

namespace cnnc {

Schedule schedule_elementwise(const TensorType &result, int64_t lanes) {
  Schedule schedule;
  const std::vector<std::string> names = loop_names(result.rank());
  if (names.empty())
    return schedule;
  if (result.layout.block_of(1) == lanes) {
    schedule.tile = {{"c", lanes}, {"w", 4}};
    schedule.vector = {{"c", lanes}};
  } else {
    schedule.tile = {{names.back(), lanes * 4}};
    schedule.vector = {{names.back(), lanes}};
  }
  schedule.parallel.assign(names.begin(), names.end() - 1);
  return schedule;
}

Schedule schedule_resize(const TensorType &result, int64_t lanes) {
  Schedule schedule = schedule_elementwise(result, lanes);
  if (result.layout.block_of(1) != lanes)
    schedule.tile = {{"w", lanes}};
  return schedule;
}

} // namespace cnnc
