#include "compiler/driver/report.h"

#include "compiler/driver/tensors.h"

#include <fmt/format.h>
#include <iostream>

namespace cnnc::driver {

Result<void> report(const CommandLine &line, const Model &model) {
  const auto start = std::chrono::steady_clock::now();
  ReportOptions how;
  how.profile = line.profile;
  how.profile.threads = line.threads;
  if (!line.tensors.empty())
    how.inputs = input_maker(line);
  Result<uint64_t> size = write_report(model, line.report, how, line.options);
  if (!size)
    return Error{std::string(size.error())};
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::cerr << fmt::format("{}: {:.0f} kB in {:.1f} s\n", line.report,
                           static_cast<double>(*size) * 1e-3, seconds.count());
  return {};
}

} // namespace cnnc::driver
