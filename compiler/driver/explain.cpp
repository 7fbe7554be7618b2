#include "compiler/driver/explain.h"

#include "compiler/driver/explanation_text.h"
#include "compiler/driver/profile.h"

#include <iostream>

namespace cnnc::driver {

Result<void> explain(const CommandLine &line, const Model &model) {
  Result<std::vector<KernelExplanation>> kernels = cnnc::explain(model, line.options);
  if (!kernels)
    return Error{std::string(kernels.error())};
  MeasuredKernels measured;
  if (!line.tensors.empty() || line.profile.runs > 0) {
    CommandLine runs = line;
    runs.options.print_kernel.clear();
    runs.options.remark = {}; // explaining has made them
    Result<Measured> run = measure(runs, model);
    if (!run)
      return Error{std::string(run.error())};
    measured = measured_kernels(run->program.table(), run->profile, run->how);
  }
  const bool at_length = !line.options.print_kernel.empty();
  if (line.json_file != "-")
    for (const KernelExplanation &kernel : *kernels)
      std::cout << (at_length ? long_explanation(kernel, measured)
                              : short_explanation(kernel, measured));
  std::cout << std::flush;
  return write(line.json_file, explanation_json(*kernels, measured));
}

} // namespace cnnc::driver
