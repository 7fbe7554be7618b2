#include "compiler/driver/command_line.h"

#include "compiler/driver/actions.h"
#include "compiler/driver/options.h"
#include "compiler/pipeline/pipeline.h"
#include "compiler/support/split_list.h"
#include "ir/text/diagnostics.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <iostream>
#include <map>
#include <unistd.h>

namespace cnnc::driver {

namespace {

const std::vector<std::pair<std::string, Stage>> &stages() {
  static const std::vector<std::pair<std::string, Stage>> table = {
      {"graph", Stage::graph},  {"loops", Stage::loops}, {"llvm", Stage::llvm},
      {"asm", Stage::assembly}, {"obj", Stage::object},  {"header", Stage::header},
      {"dot", Stage::dot},      {"onnx", Stage::onnx}};
  return table;
}

int mistake(const std::string &text) {
  std::cerr << "cnnc: error: " << text << "\n";
  return exit_wrong_command_line;
}

bool prints_passes(const CommandLine &line) {
  return !line.options.print_after.empty() || !line.options.print_before.empty() ||
         line.changes != Changes::no;
}

/// Whether passes alone have something to show.
bool shows_passes(const CommandLine &line) {
  return prints_passes(line) || line.statistics != Statistics::no;
}

/// The one thing to do; an exit code when there are several or none.
std::optional<int> choose_action(CommandLine &line, const Flags &flags) {
  std::vector<Action> asked;
  auto ask = [&](bool wanted, Action action) {
    if (wanted)
      asked.push_back(action);
  };
  ask(flags.list_ops, Action::list_ops);
  ask(flags.list_passes, Action::list_passes);
  ask(flags.lsp, Action::serve_editor);
  ask(flags.check, Action::check);
  ask(flags.summary, Action::summary);
  ask(!flags.emit.empty(), Action::emit);
  ask(flags.verify, Action::verify);
  ask(flags.run && !flags.verify, Action::run);
  ask(flags.time_run, Action::time_run);
  ask(!flags.profile.empty(), Action::profile);
  ask(!flags.explain.empty(), Action::explain);
  ask(flags.compare, Action::compare);
  ask(!line.reference.empty(), Action::compare_each);
  ask(!line.compared_kernel.empty(), Action::compare_schedules);
  ask(flags.reduce, Action::reduce);
  ask(!line.images.empty(), Action::calibrate);
  ask(!line.report.empty(), Action::report);
  if (asked.size() > 1)
    return mistake(
        fmt::format("{} and {} exclude each other", name_of(asked[0]), name_of(asked[1])));
  if (!asked.empty())
    line.action = asked.front();
  else if (!line.output.empty())
    line.action = Action::compile;
  else if (shows_passes(line))
    line.action = Action::run_passes;
  else if (flags.passes_given->count() > 0 || !line.options.stop_after.empty())
    line.action = Action::emit;
  else
    return mistake("nothing to do: add -o model.so, --emit=STAGE, --run, --summary or --check "
                   "(`cnnc --help` shows examples)");
  return std::nullopt;
}

/// What is written, and the option that says so.
std::vector<std::pair<const char *, std::filesystem::path>> written_files(const CommandLine &line) {
  const std::filesystem::path output = line.output;
  std::vector<std::pair<const char *, std::filesystem::path>> files = {
      {"-o", output},
      {"--dependency-file", line.depfile},
      {"--json", line.json_file},
      {"--trace", line.trace_file},
      {"--report", line.report}};
  const bool text = output.extension() == ".ir";
  if (text && (line.action == Action::compile || line.action == Action::reduce ||
               line.action == Action::calibrate))
    files.emplace_back("-o", std::filesystem::path(output).replace_extension(".safetensors"));
  else if (line.action == Action::compile)
    files.emplace_back("-o", std::filesystem::path(output).replace_extension(".h"));
  std::erase_if(files, [](const auto &file) { return file.second.empty() || file.second == "-"; });
  return files;
}

/// The file that is read and would be overwritten by another.
std::optional<std::string> overwritten_input(const CommandLine &line,
                                             const std::filesystem::path &written) {
  namespace fs = std::filesystem;
  const fs::path input = line.input;
  std::vector<fs::path> inputs = {input};
  inputs.insert(inputs.end(), line.options.weights.begin(), line.options.weights.end());
  inputs.insert(inputs.end(), line.tensors.begin(), line.tensors.end());
  if (input.extension() != ".onnx")
    inputs.push_back(fs::path(input).replace_extension(".safetensors"));
  std::error_code ignored;
  for (const fs::path &read : inputs)
    if (fs::is_regular_file(written, ignored) && fs::equivalent(written, read, ignored))
      return read.string();
  return std::nullopt;
}

std::optional<int> check_written_files(const CommandLine &line) {
  const auto files = written_files(line);
  for (size_t i = 0; i < files.size(); ++i) {
    const auto &[option, file] = files[i];
    if (std::optional<std::string> input = overwritten_input(line, file))
      return mistake(fmt::format("{} {} would overwrite '{}', which is read", option,
                                 option == std::string_view("-o") ? line.output : file.string(),
                                 *input));
    for (size_t j = 0; j < i; ++j)
      if (files[j].second.lexically_normal() == file.lexically_normal())
        return mistake(
            fmt::format("{} and {} name one file, {}", files[j].first, option, file.string()));
  }
  return std::nullopt;
}

std::optional<int> check_output(const CommandLine &line) {
  std::string extension = std::filesystem::path(line.output).extension().string();
  if (line.action == Action::compile && extension != ".so" && extension != ".o" &&
      extension != ".a" && extension != ".ir")
    return mistake(fmt::format(
        "the name of the output '{}' does not say what it is: .so, .o or .a, .ir for "
        "an ONNX file; for a text add --emit=graph, loops, llvm, asm, obj, header, dot or onnx",
        line.output));
  bool writes = line.action == Action::compile || line.action == Action::emit ||
                line.action == Action::run || line.action == Action::reduce ||
                line.action == Action::calibrate || line.action == Action::list_ops ||
                line.action == Action::list_passes;
  if (line.action == Action::reduce && !line.output.empty() && line.output != "-" &&
      extension != ".ir")
    return mistake(fmt::format("--reduce writes a text: -o small.ir, not '{}'", line.output));
  if (line.action == Action::calibrate && extension != ".ir")
    return mistake("--calibrate writes a text, and its weights beside it: add -o model_int8.ir");
  if (!writes && !line.output.empty())
    return mistake("-o has no meaning here");
  if (!line.depfile.empty() && (line.action != Action::compile || extension == ".ir"))
    return mistake("--write-dependencies goes with -o model.so, model.o or model.a");
  if (!line.output.empty() && !line.output_folder.empty())
    return mistake("-o and --outputs exclude each other");
  return check_written_files(line);
}

/// Which of the files is the model. Only some actions take tensors.
std::optional<int> take_files(CommandLine &line, const Flags &flags) {
  const bool lists = line.action == Action::list_ops || line.action == Action::list_passes;
  const bool serves = line.action == Action::serve_editor;
  if (flags.files.empty() && !lists && !serves)
    return mistake("no model given; a text file, an ONNX file, or - for standard input");
  const bool tensors = takes_tensors(line.action);
  size_t models = lists || serves ? 0 : 1;
  if (!tensors && flags.files.size() > models)
    return mistake(fmt::format("'{}' is too much: {}", flags.files[models],
                               lists    ? "a list needs no model"
                               : serves ? "--lsp gets its texts from the editor"
                                        : "one model at a time"));
  if (models > 0)
    line.input = flags.files.front();
  if (tensors)
    line.tensors.assign(flags.files.begin() + 1, flags.files.end());
  if (line.action == Action::compare && line.tensors.empty())
    return mistake("--compare takes the .npy files of the inputs and outputs behind the model");
  return std::nullopt;
}

/// An option without effect is a misunderstanding.
std::optional<int> check_effects(const CommandLine &line, const CLI::App &app) {
  for (const Effect &effect : effects())
    if (app.get_option(effect.option)->count() > 0 &&
        std::ranges::find(effect.actions, line.action) == effect.actions.end())
      return mistake(fmt::format("{} goes with {}", effect.option, names_of(effect.actions)));
  return std::nullopt;
}

/// What a file name promises, where that is clear.
const std::map<std::string, std::vector<Stage>> &extensions() {
  static const std::map<std::string, std::vector<Stage>> table = {
      {".so", {}},
      {".a", {}},
      {".npy", {}},
      {".o", {Stage::object}},
      {".onnx", {Stage::onnx}},
      {".h", {Stage::header}},
      {".ll", {Stage::llvm}},
      {".s", {Stage::assembly}},
      {".dot", {Stage::dot}},
      {".ir", {Stage::graph, Stage::loops}}};
  return table;
}

std::optional<int> check_stage(const CommandLine &line, const std::string &stage) {
  std::string extension = std::filesystem::path(line.output).extension().string();
  auto promised = extensions().find(extension);
  if (promised == extensions().end() ||
      std::ranges::find(promised->second, line.stage) != promised->second.end())
    return std::nullopt;
  return mistake(
      fmt::format("--emit={} does not make what the name '{}' says{}", stage, line.output,
                  promised->second.empty() ? ": leave --emit out, or change the name" : ""));
}

std::optional<int> interpret_onnx(CommandLine &line, const Flags &flags) {
  if (flags.onnx_weights.empty())
    return std::nullopt;
  if (flags.emit != "onnx")
    return mistake("--onnx-weights has no meaning without --emit=onnx");
  bool beside = flags.onnx_weights == "beside";
  if (beside && (line.output.empty() || line.output == "-"))
    return mistake("--onnx-weights=beside needs a file to put the weights beside: -o model.onnx");
  line.options.onnx_weights = beside ? OnnxWeights::beside : OnnxWeights::inside;
  return std::nullopt;
}

std::optional<int> interpret_gradients(CommandLine &line, const Flags &flags, const CLI::App &app) {
  const bool train = !flags.train.empty();
  if (flags.differentiate && train)
    return mistake("--differentiate and --train exclude each other");
  if (flags.differentiate || train)
    line.options.gradients = flags.gradients;
  if (train) {
    line.options.training = flags.training;
    line.options.training->optimizer = flags.train == "sgd" ? Optimizer::sgd : Optimizer::adamw;
  }
  auto given = [&](const char *option) { return app.get_option(option)->count() > 0; };
  if (given("--gradients-of") && !flags.differentiate)
    return mistake("--gradients-of goes with --differentiate");
  for (const char *option : {"--loss", "--label-smoothing", "--remat"})
    if (given(option) && !line.options.gradients)
      return mistake(fmt::format("{} goes with --differentiate and --train", option));
  for (const char *option : {"--freeze", "--momentum", "--weight-decay"})
    if (given(option) && !train)
      return mistake(fmt::format("{} goes with --train", option));
  if (given("--momentum") && flags.train != "sgd")
    return mistake("--momentum goes with --train=sgd");
  const bool takes_batch = line.action == Action::run || line.action == Action::time_run ||
                           line.action == Action::profile || line.action == Action::explain;
  if (given("--batch") && !line.options.gradients && !takes_batch)
    return mistake("--batch goes with --differentiate, --train, --run, --time-run, --profile and "
                   "--explain");
  if (given("--batch") && line.options.gradients)
    line.options.batch = std::exchange(line.batch, 1);
  return std::nullopt;
}

/// What of the texts on the way is printed.
std::optional<int> interpret_printing(CommandLine &line, const Flags &flags) {
  const char *no_color = std::getenv("NO_COLOR"); // counts when it is not empty (no-color.org)
  const bool plain = (no_color && *no_color) || isatty(STDOUT_FILENO) == 0;
  line.color = flags.color == "always" || (flags.color == "auto" && !plain);
  line.print_llvm = names_pass(line.options.print_after, llvm_step);
  std::string &kernel = line.options.print_kernel;
  if (kernel.empty())
    return std::nullopt;
  if (kernel.starts_with('@'))
    kernel.erase(0, 1);
  const bool emits =
      line.action == Action::emit && (line.stage == Stage::graph || line.stage == Stage::loops ||
                                      line.stage == Stage::llvm || line.stage == Stage::assembly);
  if (!emits && !prints_passes(line))
    return mistake("--print-kernel goes with --emit=graph, loops, llvm or asm, and with what "
                   "--print-after, --print-before and --print-after-change print");
  return std::nullopt;
}

std::optional<int> interpret_stage(CommandLine &line, const Flags &flags) {
  if (flags.emit.empty())
    return std::nullopt;
  for (const auto &[name, stage] : stages())
    if (name == flags.emit) {
      line.stage = stage;
      return check_stage(line, name);
    }
  return mistake(fmt::format(
      "there is no stage '{}': graph, loops, llvm, asm, obj, header, dot or onnx", flags.emit));
}

/// JSON is to be read by a program: nothing else may stand on standard output.
std::optional<int> check_statistics(const CommandLine &line) {
  if (line.statistics != Statistics::json)
    return std::nullopt;
  const bool alone = line.action == Action::run_passes || line.action == Action::check ||
                     (line.action == Action::compile && line.output != "-") ||
                     (line.action == Action::emit && !line.output.empty() && line.output != "-");
  if (!alone || prints_passes(line))
    return mistake("--stats=json needs standard output for itself: leave out what else is printed, "
                   "or give it a file (-o)");
  return std::nullopt;
}

/// Of which kernel an explanation is, if not of all.
std::optional<int> interpret_explain(CommandLine &line, const Flags &flags) {
  if (flags.explain.empty() || flags.explain == "all")
    return std::nullopt;
  if (!flags.explain.starts_with('@') || flags.explain.size() == 1)
    return mistake(
        fmt::format("--explain=@NAME explains one kernel; '{}' is no name of one", flags.explain));
  line.options.print_kernel = flags.explain.substr(1);
  return std::nullopt;
}

/// Values of the model as it is written are compared.
std::optional<int> check_compare_each(const CommandLine &line) {
  if (line.action == Action::compare_each && (line.options.gradients || line.options.passes))
    return mistake("--compare-each is for the values of the model as it is written: leave "
                   "--passes, --differentiate and --train out");
  return std::nullopt;
}

/// All that could be set is tried.
std::optional<int> interpret_compared_kernel(CommandLine &line) {
  if (line.compared_kernel.starts_with('@'))
    line.compared_kernel.erase(0, 1);
  if (line.action == Action::compare_schedules &&
      (line.options.passes || shows_passes(line) || !line.options.overrides.empty()))
    return mistake("--compare-schedules runs the passes of every candidate: leave --set, --passes "
                   "and what prints passes out");
  return std::nullopt;
}

std::optional<int> check_reduce(const CommandLine &line) {
  if (line.action != Action::reduce)
    return std::nullopt;
  if (line.test.empty())
    return mistake("--reduce needs --test 'COMMAND', which gives exit code 0 where the bug shows");
  const Options &options = line.options;
  if (options.gradients || options.passes || shows_passes(line))
    return mistake("--reduce leaves passes and training to the command of --test: say them there");
  return std::nullopt;
}

std::optional<int> check_calibrate(const CommandLine &line) {
  if (line.action == Action::calibrate &&
      (line.options.gradients || line.options.passes || shows_passes(line)))
    return mistake("--calibrate runs the passes that it needs: leave --passes, what prints passes, "
                   "--differentiate and --train out");
  return std::nullopt;
}

std::optional<int> check_weights_type(const CommandLine &line, const Flags &flags) {
  if (line.options.weights_type == WeightsType::f32)
    return std::nullopt;
  const bool writes_text =
      line.action == Action::compile && std::filesystem::path(line.output).extension() == ".ir";
  if (flags.emit == "onnx" || line.action == Action::calibrate || writes_text)
    return mistake("--weights-type is for what is compiled: texts, ONNX files and models of "
                   "integers have weights of their own types");
  return std::nullopt;
}

std::optional<int> interpret(CommandLine &line, const Flags &flags, const CLI::App &app) {
  if (!flags.changes.empty())
    line.changes = flags.changes == "text" ? Changes::text : Changes::diff;
  if (!flags.statistics.empty())
    line.statistics = flags.statistics == "json" ? Statistics::json : Statistics::table;
  line.each_kernel = flags.profile == "each";
  if (std::optional<int> code = choose_action(line, flags))
    return code;
  if (std::optional<int> code = take_files(line, flags))
    return code;
  if (std::optional<int> code = check_effects(line, app))
    return code;
  if (flags.write_dependencies && line.depfile.empty())
    line.depfile = std::filesystem::path(line.output).replace_extension(".d").string();
  if (std::optional<int> code = check_output(line))
    return code;
  if (flags.passes_given->count() > 0)
    line.options.passes =
        flags.passes == "none" ? std::vector<std::string>() : split_list(flags.passes);
  if (std::optional<int> code = interpret_onnx(line, flags))
    return code;
  if (std::optional<int> code = interpret_gradients(line, flags, app))
    return code;
  if (std::optional<int> code = check_compare_each(line))
    return code;
  if (std::optional<int> code = interpret_compared_kernel(line))
    return code;
  if (std::optional<int> code = check_reduce(line))
    return code;
  if (std::optional<int> code = check_calibrate(line))
    return code;
  if (std::optional<int> code = check_weights_type(line, flags))
    return code;
  if (std::optional<int> code = check_statistics(line))
    return code;
  if (std::optional<int> code = interpret_stage(line, flags))
    return code;
  if (std::optional<int> code = interpret_printing(line, flags))
    return code;
  return interpret_explain(line, flags);
}

/// The short options of C compilers have two letters, which CLI11 does not know.
std::vector<std::string> arguments_of(int argc, char **argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::replace(arguments.begin(), arguments.end(), std::string("-MD"),
               std::string("--write-dependencies"));
  std::replace(arguments.begin(), arguments.end(), std::string("-MF"),
               std::string("--dependency-file"));
  std::reverse(arguments.begin(), arguments.end()); // as CLI11 wants them
  return arguments;
}

/// What an option that does not exist could have been.
std::string suggestion(const CLI::App &app) {
  std::vector<std::string> names;
  for (const CLI::Option *option : app.get_options())
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
  std::string text;
  for (const std::string &extra : app.remaining()) {
    std::string word = extra.substr(0, extra.find('='));
    std::string_view guess = closest(word, {names.begin(), names.end()});
    if (word.starts_with("-") && !guess.empty())
      text += fmt::format("did you mean {}?\n", guess);
  }
  return text;
}

} // namespace

std::variant<CommandLine, int> parse_command_line(int argc, char **argv) {
  CommandLine line;
  Flags flags;
  CLI::App app;
  add_options(app, line, flags);
  if (argc == 1) {
    std::cerr << app.help();
    return exit_wrong_command_line;
  }
  try {
    app.parse(arguments_of(argc, argv));
  } catch (const CLI::Success &help) {
    return app.exit(help);
  } catch (const CLI::ParseError &error) {
    std::cerr << "cnnc: error: " << error.what() << "\n"
              << suggestion(app) << "`cnnc --help` lists the options\n";
    return exit_wrong_command_line;
  }
  if (std::optional<int> code = interpret(line, flags, app))
    return *code;
  return line;
}

} // namespace cnnc::driver
