// cnnc: options -> calls of cnnc.h.
#include "compiler/driver/calibrate.h"
#include "compiler/driver/compare.h"
#include "compiler/driver/compare_each.h"
#include "compiler/driver/compare_schedules.h"
#include "compiler/driver/explain.h"
#include "compiler/driver/print_passes.h"
#include "compiler/driver/profile.h"
#include "compiler/driver/reduce.h"
#include "compiler/driver/report.h"
#include "compiler/driver/signals.h"
#include "compiler/driver/statistics.h"
#include "compiler/driver/tensors.h"
#include "compiler/driver/time_run.h"
#include "compiler/lsp/server.h"
#include "ir/text/files.h"

#include <fmt/format.h>
#include <iostream>
#include <new>
#include <unistd.h>

namespace cnnc::driver {

namespace {

int fail(std::string_view diagnostics) {
  std::cerr << diagnostics << (diagnostics.ends_with('\n') ? "" : "\n");
  return exit_wrong_input;
}

int write_text(const std::string &text, const std::string &output) {
  Diagnostics diagnostics;
  if (!write_file_atomically(output.empty() ? "-" : output, text, diagnostics))
    return fail(diagnostics.to_string());
  return exit_fine;
}

/// Of ops or passes, and in a file of its own for programs.
int write_list(const CommandLine &line, std::string (*list)(ListFormat)) {
  const ListFormat format = line.markdown ? ListFormat::markdown : ListFormat::text;
  int code = exit_fine;
  if (line.json_file != "-")
    code = write_text(list(format), line.output);
  if (code == exit_fine && !line.json_file.empty())
    code = write_text(list(ListFormat::json), line.json_file);
  return code;
}

/// What `--time` prints, collected while the compiler works.
class Times {
public:
  void add(std::string_view step, std::chrono::nanoseconds time) {
    rows_.emplace_back(step, std::chrono::duration<double, std::milli>(time).count());
  }
  void print() const {
    double total = 0;
    for (const auto &[step, milliseconds] : rows_) {
      std::cerr << fmt::format("{:<24} {:>10.2f} ms\n", step, milliseconds);
      total += milliseconds;
    }
    std::cerr << fmt::format("{:<24} {:>10.2f} ms\n", "total", total);
  }

private:
  std::vector<std::pair<std::string, double>> rows_;
};

/// A line on standard error every two seconds, for those who wait.
class ProgressLines {
public:
  void operator()(std::string_view what, size_t done, size_t total) {
    auto now = std::chrono::steady_clock::now();
    if (now - printed_ < std::chrono::seconds(2) || done == total)
      return;
    printed_ = now;
    std::cerr << fmt::format("{} of {} {}\n", done, total, what);
  }

private:
  std::chrono::steady_clock::time_point printed_ = std::chrono::steady_clock::now();
};

int emit_stage(const CommandLine &line, const Model &model) {
  if (line.stage == Stage::onnx) {
    Result<void> written = write_onnx(model, line.output.empty() ? "-" : line.output, line.options);
    return written ? exit_fine : fail(written.error());
  }
  Result<std::string> text = emit(model, line.stage, line.options);
  return text ? write_text(*text, line.output) : fail(text.error());
}

/// A size for people: 261 KB, 97.5 MB.
std::string format_size(uint64_t bytes) {
  if (bytes < 1000)
    return fmt::format("{} bytes", bytes);
  double size = static_cast<double>(bytes) / 1000;
  const char *unit = "KB";
  if (size >= 1000) {
    size /= 1000;
    unit = "MB";
  }
  return size < 10 ? fmt::format("{:.1f} {}", size, unit) : fmt::format("{:.0f} {}", size, unit);
}

/// 130 MB, or 130 MB instead of 180 MB.
std::string format_workspace(const Artifact &artifact) {
  const std::string size = format_size(artifact.workspace_size);
  const std::string kept = format_size(artifact.workspace_size_if_kept);
  return artifact.workspace_size_if_kept == 0 || kept == size
             ? size
             : fmt::format("{} instead of {}", size, kept);
}

/// A path in a rule of make or ninja.
std::string format_path(const std::filesystem::path &path) {
  std::string result;
  for (char c : path.string()) {
    if (c == ' ' || c == '#' || c == '\\')
      result += '\\';
    if (c == '$')
      result += '$';
    result += c;
  }
  return result;
}

/// `model.so: model.ir model.safetensors`: what to watch for changes.
std::string format_rule(const Artifact &artifact) {
  std::string rule = format_path(artifact.file) + ":";
  for (const std::filesystem::path &source : artifact.sources)
    rule += " \\\n  " + format_path(source);
  return rule + "\n";
}

int compile(const CommandLine &line, const Model &model) {
  std::filesystem::path file = line.output;
  if (file.extension() == ".ir") {
    Result<void> written = write_ir(model, file, line.options);
    return written ? exit_fine : fail(written.error());
  }
  auto write = file.extension() == ".so"  ? write_shared_library
               : file.extension() == ".o" ? write_object
                                          : write_archive;
  Result<Artifact> artifact = write(model, file, line.options);
  if (!artifact)
    return fail(artifact.error());
  std::cerr << fmt::format("{}: {}, code {}, weights {}, workspace {}, header {}\n", file.string(),
                           format_size(artifact->file_size), format_size(artifact->code_size),
                           format_size(artifact->weights_size), format_workspace(*artifact),
                           artifact->header.string());
  return line.depfile.empty() ? exit_fine : write_text(format_rule(*artifact), line.depfile);
}

int run(const CommandLine &line, const Model &model) {
  Result<Program> program = jit(model, line.options);
  if (!program)
    return fail(program.error());
  Budget budget(line.options);
  Result<void> weights = budget.take("the weights", program->table().weights_size);
  if (!weights)
    return fail(weights.error());
  Result<Inputs> inputs = make_inputs(line, program->table(), budget);
  if (!inputs)
    return fail(inputs.error());
  Result<std::vector<Bytes>> outputs = run_once(*program, *inputs, line.threads, budget);
  if (!outputs)
    return fail(outputs.error());
  Result<void> shown = show_outputs(line, program->table(), *outputs, inputs->batch, budget);
  return shown ? exit_fine : fail(shown.error());
}

void print_values(const char *title, const std::vector<VerifiedValue> &values) {
  std::cout << fmt::format("{:<40} {:>12} {:>12} {:>12}\n", title, "largest", "error", "relative");
  for (const VerifiedValue &value : values)
    std::cout << fmt::format(
        "{:<40} {:>12.4g} {:>12.3g} {:>12.3g}{}\n",
        value.kernel.empty() ? "%" + value.value
                             : fmt::format("@{} -> %{}", value.kernel, value.value),
        value.largest, value.error, value.relative(), value.wrong ? "  WRONG" : "");
}

int verify(const CommandLine &line, const Model &model) {
  Result<Verification> result = cnnc::verify(
      model, input_maker(line), line.tolerance.value_or(verify_tolerance), line.options);
  if (!result)
    return fail(result.error());
  print_values("kernel", result->values);
  if (!result->outputs.empty())
    print_values(line.options.weights_type == WeightsType::f32
                     ? "output, against the model as written"
                     : "output, against the model with weights of 16 bits",
                 result->outputs);
  if (result->passed())
    return exit_fine;
  for (const VerifiedValue &value : result->values)
    if (value.wrong)
      return fail(
          fmt::format("cnnc: error: the kernel @{} computes %{} wrong: the error {:.3g} is more "
                      "than {:g} of the largest value {:.4g}",
                      value.kernel, value.value, value.error,
                      line.tolerance.value_or(verify_tolerance), value.largest));
  return fail("cnnc: error: every kernel is right, but an output is not: a graph pass changed its "
              "meaning");
}

int summarize(const CommandLine &line, const Model &model) {
  Result<std::string> text = summary(model, line.options);
  return text ? write_text(*text, "") : fail(text.error());
}

int check_only(const CommandLine &line, const Model &model) {
  Result<void> result = check(model, line.options);
  return result ? exit_fine : fail(result.error());
}

/// All passes for what they print on the way; LLVM IR too when that is asked for.
int run_passes(const CommandLine &line, const Model &model) {
  Result<std::string> result =
      emit(model, line.print_llvm ? Stage::llvm : Stage::loops, line.options);
  return result ? exit_fine : fail(result.error());
}

int perform(const CommandLine &line, const Model &model) {
  switch (line.action) {
  case Action::compile:
    return compile(line, model);
  case Action::emit:
    return emit_stage(line, model);
  case Action::run_passes:
    return run_passes(line, model);
  case Action::check:
    return check_only(line, model);
  case Action::summary:
    return summarize(line, model);
  case Action::run:
    return run(line, model);
  case Action::time_run: {
    Result<std::string> text = time_run(line, model);
    return text ? write_text(*text, "") : fail(text.error());
  }
  case Action::profile: {
    Result<void> printed = profile(line, model);
    return printed ? exit_fine : fail(printed.error());
  }
  case Action::explain: {
    Result<void> printed = explain(line, model);
    return printed ? exit_fine : fail(printed.error());
  }
  case Action::verify:
    return verify(line, model);
  case Action::compare: {
    Result<bool> same = compare(line, model);
    return !same ? fail(same.error()) : *same ? exit_fine : exit_wrong_input;
  }
  case Action::compare_each: {
    Result<bool> same = compare_each(line, model);
    return !same ? fail(same.error()) : *same ? exit_fine : exit_wrong_input;
  }
  case Action::compare_schedules: {
    Result<void> printed = compare_schedules(line, model);
    return printed ? exit_fine : fail(printed.error());
  }
  case Action::reduce: {
    Result<void> reduced = reduce(line, model);
    return reduced ? exit_fine : fail(reduced.error());
  }
  case Action::calibrate: {
    Result<void> written = calibrate(line, model);
    return written ? exit_fine : fail(written.error());
  }
  case Action::report: {
    Result<void> written = report(line, model);
    return written ? exit_fine : fail(written.error());
  }
  case Action::list_ops:
  case Action::list_passes:
  case Action::serve_editor:
    break; // need no model
  }
  return exit_fine;
}

int main(int argc, char **argv) {
  std::variant<CommandLine, int> parsed = parse_command_line(argc, argv);
  if (const int *code = std::get_if<int>(&parsed))
    return *code;
  CommandLine &line = std::get<CommandLine>(parsed);
  if (line.action == Action::list_ops)
    return write_list(line, list_ops);
  if (line.action == Action::list_passes)
    return write_list(line, list_passes);
  if (line.action == Action::serve_editor)
    return lsp::serve() ? exit_fine : exit_wrong_input;

  Times times;
  if (line.time)
    line.options.timing = [&](std::string_view step, std::chrono::nanoseconds time) {
      times.add(step, time);
    };
  line.options.remark = [](const std::string &text) { std::cerr << text << "\n"; };
  if (isatty(STDERR_FILENO))
    line.options.progress = ProgressLines();
  print_passes(line);
  std::vector<PassStatistics> statistics;
  if (line.statistics != Statistics::no)
    line.options.statistics = [&](const PassStatistics &pass) { statistics.push_back(pass); };
  line.load.remark = line.options.remark;
  line.load.progress = line.options.progress;
  int code = exit_wrong_input;
  try {
    Result<Model> model = load(line.input, line.load);
    code = model ? perform(line, *model) : fail(model.error());
  } catch (const std::bad_alloc &) {
    fail("cnnc: error: out of memory");
  }
  if (code == exit_fine && line.statistics != Statistics::no)
    std::cout << (line.statistics == Statistics::json ? statistics_json(statistics)
                                                      : statistics_table(statistics));
  if (line.time)
    times.print();
  return code;
}

} // namespace

} // namespace cnnc::driver

int main(int argc, char **argv) {
  cnnc::driver::clean_up_on_signals();
  const int code = cnnc::driver::main(argc, argv);
  if (std::cout.flush() || code != cnnc::driver::exit_fine)
    return code;
  return cnnc::driver::fail(
      "cnnc: error: <stdout>: cannot write: what was printed is not complete");
}
