#include "compiler/driver/compare.h"

#include "compiler/api/judge.h"
#include "compiler/driver/tensors.h"

#include <fmt/format.h>
#include <iostream>

namespace cnnc::driver {

namespace {

/// What an output takes while it is compared: both tensors as numbers.
Result<void> take_numbers(const cnnc_model_v1 &table, int64_t batch, Budget &budget) {
  for (uint32_t i = 0; i < table.output_count; ++i) {
    const uint64_t bytes = 2 * size_as_numbers(table.outputs[i], batch);
    Result<void> taken = budget.take(fmt::format("comparing %{}", table.outputs[i].name), bytes);
    if (!taken)
      return taken;
    budget.give_back(bytes);
  }
  return {};
}

/// Prints a line per output; returns whether all agree.
bool print_differences(const cnnc_model_v1 &table, const std::vector<Bytes> &actual,
                       const std::vector<Bytes> &expected, double tolerance) {
  bool same = true;
  std::cout << fmt::format("{:<40} {:>12} {:>12} {:>12}\n", "output", "largest", "error",
                           "relative");
  for (uint32_t i = 0; i < table.output_count; ++i) {
    std::vector<double> a = as_numbers(table.outputs[i], actual[i]);
    std::vector<double> e = as_numbers(table.outputs[i], expected[i]);
    Difference d = difference(a, e, tolerance);
    std::cout << fmt::format("{:<40} {:>12.4g} {:>12.3g} {:>12.3g}",
                             fmt::format("%{}", table.outputs[i].name), d.largest, d.error,
                             d.largest > 0 ? d.error / d.largest : d.error);
    if (d.wrong > 0)
      std::cout << fmt::format(
          "  DIFFERS in {} of {} elements; the first is [{}]: {:.6g}, expected "
          "{:.6g}",
          d.wrong, e.size(), d.first, a[d.first], e[d.first]);
    std::cout << "\n";
    same = same && d.wrong == 0;
  }
  return same;
}

/// Says where a difference comes from, as far as the reference interpreter can tell.
Result<void> print_origin(const CommandLine &line, const Model &model, const Inputs &inputs,
                          const Budget &budget) {
  auto same_inputs = [&](const cnnc_model_v1 &) -> Result<std::vector<Bytes>> {
    return inputs.tensors;
  };
  std::cerr << "looking for the first kernel that differs, as --verify does\n";
  Options options = line.options;
  options.max_memory = std::max<uint64_t>(1, budget.left()); // 0 would be the default
  Result<Verification> verification = cnnc::verify(model, same_inputs, verify_tolerance, options);
  if (!verification)
    return Error{std::string(verification.error())};
  for (const VerifiedValue &value : verification->values)
    if (value.wrong) {
      std::cout << fmt::format(
          "the first kernel that differs from the reference interpreter is @{} "
          "-> %{}: error {:.3g}, largest value {:.4g}\n",
          value.kernel, value.value, value.error, value.largest);
      return {};
    }
  std::cout << "every kernel computes what the reference interpreter does: the other program ran "
               "another network, other weights or another input\n";
  return {};
}

} // namespace

Result<bool> compare(const CommandLine &line, const Model &model) {
  Result<Program> program = jit(model, line.options);
  if (!program)
    return Error{std::string(program.error())};
  const cnnc_model_v1 &table = program->table();
  if (line.tensors.size() != table.input_count + table.output_count)
    return Error{fmt::format("cnnc: error: --compare takes a file for each of the {} inputs and {} "
                             "outputs of @{}, in their order, but {} were given",
                             table.input_count, table.output_count, table.name,
                             line.tensors.size())};
  std::span<const std::string> files = line.tensors;
  Budget budget(line.options);
  if (Result<void> weights = budget.take("the weights", table.weights_size); !weights)
    return Error{std::string(weights.error())};
  Result<Inputs> inputs = read_inputs(files.first(table.input_count), table, budget);
  if (!inputs)
    return Error{std::string(inputs.error())};
  Result<std::vector<Bytes>> expected =
      read_outputs(files.subspan(table.input_count), table, inputs->batch, budget);
  if (!expected)
    return Error{std::string(expected.error())};
  Result<std::vector<Bytes>> actual = run_once(*program, *inputs, line.threads, budget);
  if (!actual)
    return Error{std::string(actual.error())};
  if (Result<void> taken = take_numbers(table, inputs->batch, budget); !taken)
    return Error{std::string(taken.error())};
  if (print_differences(table, *actual, *expected, line.tolerance.value_or(compare_tolerance)))
    return true;
  if (inputs->batch == 1)
    if (Result<void> told = print_origin(line, model, *inputs, budget); !told)
      return Error{std::string(told.error())};
  return false;
}

} // namespace cnnc::driver
