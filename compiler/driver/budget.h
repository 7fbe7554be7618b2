// What --run, --time-run and --compare hold in memory, counted before it is allocated.
#pragma once

#include "compiler/cnnc.h"
#include "compiler/support/machine_memory.h"

#include <fmt/format.h>

namespace cnnc::driver {

class Budget {
public:
  explicit Budget(const Options &options) : most_(usable_memory(options.max_memory)) {}

  /// Counts so many bytes for `what`, "the output %y"; an error when that is too much.
  Result<void> take(std::string_view what, uint64_t bytes) {
    if (bytes > left())
      return Error{
          fmt::format("cnnc: error: {} takes {} bytes besides the {} in use, but {} are the "
                      "most (--max-memory)",
                      what, bytes, used_, most_)};
    used_ += bytes;
    return {};
  }
  void give_back(uint64_t bytes) { used_ -= bytes; }
  uint64_t left() const { return most_ - used_; }

private:
  uint64_t most_, used_ = 0;
};

} // namespace cnnc::driver
