#include "compiler/driver/profile.h"

#include "compiler/driver/profile_rows.h"
#include "compiler/driver/tensors.h"
#include "ir/text/files.h"

#include <iostream>

namespace cnnc::driver {

Result<void> write(const std::string &file, const std::string &text) {
  Diagnostics diagnostics;
  if (!file.empty() && !write_file_atomically(file, text, diagnostics))
    return Error{diagnostics.to_string()};
  return {};
}

Result<Measured> measure(const CommandLine &line, const Model &model, int32_t products) {
  Result<Program> program = jit(model, line.options);
  if (!program)
    return Error{std::string(program.error())};
  const cnnc_model_v1 &table = program->table();
  Budget budget(line.options);
  if (Result<void> weights = budget.take("the weights", table.weights_size); !weights)
    return Error{std::string(weights.error())};
  if (Result<void> workspace =
          budget.take("the workspace", cnnc_workspace_size(&table, line.threads));
      !workspace)
    return Error{std::string(workspace.error())};
  Result<Inputs> inputs = make_inputs(line, table, budget);
  if (!inputs)
    return Error{std::string(inputs.error())};
  std::vector<const void *> pointers;
  for (const Bytes &input : inputs->tensors)
    pointers.push_back(input.data());
  ProfileOptions how = line.profile;
  how.threads = line.threads;
  how.batch = inputs->batch;
  how.trace = !line.trace_file.empty();
  how.products = products;
  Result<Profile> profile = cnnc::profile(*program, pointers, how, line.options);
  if (!profile)
    return Error{std::string(profile.error())};
  return Measured{std::move(*program), how, std::move(*profile)};
}

Result<void> profile(const CommandLine &line, const Model &model) {
  Result<std::vector<KernelInfo>> kernels = describe_kernels(model, line.options);
  if (!kernels)
    return Error{std::string(kernels.error())};
  int32_t products = 1;
  for (const KernelInfo &kernel : *kernels)
    products = std::max(products, kernel.products);
  Result<Measured> measured = measure(line, model, products);
  if (!measured)
    return Error{std::string(measured.error())};
  const MeasuredModel rows = measured_model(measured->program.table(), *kernels, measured->profile,
                                            measured->how, line.each_kernel);
  if (line.json_file != "-" && line.trace_file != "-")
    std::cout << profile_table(rows) << std::flush;
  if (Result<void> written = write(line.json_file, profile_json(rows)); !written)
    return written;
  return write(line.trace_file, trace_json(*kernels, measured->profile));
}

} // namespace cnnc::driver
