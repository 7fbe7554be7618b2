#include "compiler/driver/command_line.h"

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

constexpr const char *description =
    "cnnc compiles convolutional networks to native code for CPUs.\n"
    "\n"
    "It reads a network as an ONNX file or as text (or kernels of loops, or a mixture of both, "
    "which "
    "is\n"
    "what it prints), and writes a library without dependencies, any of the texts in between, or "
    "runs\n"
    "the network here.";

constexpr const char *examples = R"(
Examples:
  cnnc lenet.ir -o lenet.so              a shared library, and lenet.h to call it
  cnnc model.onnx -o model.so            the same for an ONNX file
  cnnc model.onnx -o model.ir            as text, with model.safetensors beside it
  cnnc model.onnx --shape 1x3x640x640 -o model.so       dimensions that the file leaves open
  cnnc lenet.ir -o lenet.o               to link statically; lenet.a likewise
  cnnc model.onnx --weights trained.safetensors -o model.so       with other weights over its own
  cnnc lenet.ir --summary                layers, shapes, parameters, multiplications
  cnnc lenet.ir --check                  only say what is wrong with it
  cnnc lenet.ir --run digit.npy          compile here, run, print the outputs
  cnnc lenet.ir --run -o out.npy         on random inputs, outputs to a file
  cnnc lenet.ir --time-run               how long one image takes on this machine
  cnnc model.onnx --profile              where that time goes, kernel by kernel
  cnnc lenet.ir --verify                 every kernel against the reference interpreter
  cnnc lenet.ir --compare digit.npy expected.npy         its output against another program's
  cnnc bug.ir --reduce --test 'cnnc {} --verify 2>&1 | grep WRONG' -o small.ir    for a report
  cnnc model.onnx --compare-each values.npz              which op is the first that differs
  cnnc lenet.ir --emit=graph             the graph as it is after its passes
  cnnc lenet.ir --emit=loops             the loops of every kernel: edit and compile them again
  cnnc lenet.ir --passes=infer_shapes,fuse_kernels      exactly these passes, on any of the texts
  cnnc lenet.ir --print-after=tile_loops                the text after one pass; or after all
  cnnc lenet.ir --print-after-change                    what every pass changes, as a diff
  cnnc lenet.ir --stats                  the same in numbers: fused, folded, removed, bytes
  cnnc lenet.ir --emit=asm --print-kernel=@conv2        one kernel, here as machine code
  cnnc lenet.ir --emit=onnx -o lenet.onnx                the model as it is, for other programs
  cnnc lenet.ir --differentiate --passes=infer_shapes,differentiate     the backward pass as text
  cnnc lenet.ir --emit=dot | dot -Tsvg -o lenet.svg     a picture
  cnnc --lsp                             for editors: examples/editors says how they start it

Exit codes: 0 fine, 1 the input is wrong, 2 the command line is wrong.
)";

const std::vector<std::pair<std::string, Stage>> &stages() {
  static const std::vector<std::pair<std::string, Stage>> table = {
      {"graph", Stage::graph},  {"loops", Stage::loops}, {"llvm", Stage::llvm},
      {"asm", Stage::assembly}, {"obj", Stage::object},  {"header", Stage::header},
      {"dot", Stage::dot},      {"onnx", Stage::onnx}};
  return table;
}

const std::map<std::string, Loss> &losses() {
  static const std::map<std::string, Loss> table = {
      {"cross_entropy", Loss::cross_entropy},
      {"mean_squared_error", Loss::mean_squared_error},
      {"binary_cross_entropy", Loss::binary_cross_entropy}};
  return table;
}

/// A number that is none, nan, passes the comparisons of CLI11's validators.
CLI::Validator number_between(double least, double most, std::string shown) {
  return {[least, most](const std::string &text) -> std::string {
            double number = 0;
            if (!CLI::detail::lexical_cast(text, number) || !(number >= least && number <= most))
              return fmt::format("{} is no number from {:g} to {:g}", text, least, most);
            return {};
          },
          std::move(shown)};
}
CLI::Validator number_between(double least, double most) {
  return number_between(least, most, fmt::format("in [{:g} - {:g}]", least, most));
}
CLI::Validator positive_number() { return number_between(1e-300, 1e300, "POSITIVE"); }
CLI::Validator nonnegative_number() { return number_between(0, 1e300, "NONNEGATIVE"); }

/// What CLI11 fills in, before it is clear what it means together.
struct Flags {
  std::string emit, passes, onnx_weights;
  bool write_dependencies = false;
  bool check = false, summary = false, verify = false, list_ops = false, list_passes = false;
  bool lsp = false;
  bool run = false, time_run = false, compare = false, reduce = false;
  std::string changes, statistics, color = "auto", profile;
  bool differentiate = false;
  GradientOptions gradients;
  std::string train; // the optimizer
  TrainingOptions training;
  std::vector<std::string> files; // the model, and tensors
  const CLI::Option *passes_given = nullptr;
};

void add_output_options(CLI::App &app, CommandLine &line, Flags &flags) {
  app.add_option("model", flags.files,
                 "The model, a text or an ONNX file, or - for standard input; behind it the .npy "
                 "files of --run, --time-run, --verify and --compare")
      ->type_name("FILE");
  app.add_option("-o,--output", line.output,
                 "model.so, model.o or model.a (with a header model.h beside it), model.ir for an "
                 "ONNX file as text (with model.safetensors beside it), the file for --emit or the "
                 ".npy file for --run; - for standard output")
      ->type_name("FILE");
  app.add_option("--emit", flags.emit,
                 "Print one stage instead: graph, loops, llvm, asm, obj, "
                 "header, dot or onnx (the model as it was written, for other programs)")
      ->type_name("STAGE");
  app.add_option("--onnx-weights", flags.onnx_weights,
                 "Weights of --emit=onnx: inside of the file, or beside it in FILE.data; "
                 "default: inside up to 2 GB")
      ->type_name("inside|beside")
      ->check(CLI::IsMember({"inside", "beside"}));
  app.add_flag(
      "--write-dependencies", flags.write_dependencies,
      "Write the files that were read (model, weights, external data) to OUTPUT.d, for make "
      "and ninja; -MD for short");
  app.add_option("--dependency-file", line.depfile, "The file instead of OUTPUT.d; -MF for short")
      ->type_name("FILE");
  app.add_flag("--check", flags.check, "Only report what is wrong with the model");
  app.add_flag("--summary", flags.summary, "Print a table of the layers");
  app.add_flag("--list-ops", flags.list_ops, "List the ops of the language");
  app.add_flag("--list-passes", flags.list_passes, "List the passes in their order");
  app.add_flag("--lsp", flags.lsp,
               "Serve an editor by the Language Server Protocol, over standard input and output");
  app.add_flag("--markdown", line.markdown, "Lists as Markdown tables");
}

void add_training_options(CLI::App &app, CommandLine &line, Flags &flags) {
  const char *group = "Training";
  app.add_flag(
         "--differentiate", flags.differentiate,
         "Also return the gradients of the weights; the first output is what they are of. A "
         "model that does not return one number gets a loss, and an input %labels or %targets")
      ->group(group);
  app.add_option("--gradients-of", flags.gradients.of,
                 "With --differentiate: the weights and inputs whose gradients are wanted, "
                 "comma-separated, * and ? as in the shell; default: all weights")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(group);
  app.add_option_function<std::string>(
         "--loss", [&flags](const std::string &name) { flags.gradients.loss = losses().at(name); },
         "With --differentiate and --train: cross_entropy (the default for outputs [n, classes]), "
         "mean_squared_error (the default for others) or binary_cross_entropy")
      ->type_name("LOSS")
      ->check(CLI::IsMember(losses()))
      ->group(group);
  app.add_option("--label-smoothing", flags.gradients.label_smoothing,
                 "With --differentiate and --train: of cross_entropy; default: 0")
      ->type_name("X")
      ->check(number_between(0, 0.999))
      ->group(group);
  app.add_option(
         "--train", flags.train,
         "Make a training step of the model: sgd (with momentum) or adamw. Weights, momenta "
         "and running statistics are inputs, and outputs in the same memory")
      ->type_name("OPTIMIZER")
      ->check(CLI::IsMember({"sgd", "adamw"}))
      ->group(group);
  app.add_option("--freeze", flags.training.freeze,
                 "With --train: weights that stay as they are, comma-separated, * and ? as in the "
                 "shell; ! takes back: '*,!fc.*' are all but those of fc")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--momentum", flags.training.momentum, "Of sgd; default: 0.9")
      ->type_name("X")
      ->check(number_between(0, 1))
      ->group(group);
  app.add_option("--weight-decay", flags.training.weight_decay, "Of both; default: 0")
      ->type_name("X")
      ->check(nonnegative_number())
      ->group(group);
  app.add_flag("--remat", line.options.rematerialize,
               "With --differentiate and --train: less workspace, by computing what is cheap once "
               "more for the backward pass; the same numbers to the bit")
      ->group(group);
  app.add_option("--batch", line.batch,
                 "With --differentiate and --train: the number of images, in place of the first "
                 "dimension of all inputs. With --run and --time-run: images of random inputs when "
                 "the batch is symbolic")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->group(group);
}

void add_compile_options(CLI::App &app, CommandLine &line) {
  const char *group = "Compiling";
  app.add_option("--model", line.options.model, "Which model, when the text holds several")
      ->type_name("NAME")
      ->group(group);
  app.add_option(
         "--name", line.options.name,
         "The model's name from here on: the prefix of the symbols and macros in its header. "
         "Two models of one name, or one for two CPUs, need two in one program")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--shape", line.load.shapes,
                 "Shape of an input of an ONNX file: NAME=1x3x640x640, or 1x3x640x640 for the only "
                 "input; n as first dimension: a batch of any size; repeatable")
      ->type_name("SHAPE")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--weights", line.options.weights,
                 "The weights; default: what the model says, or model.safetensors beside it. "
                 "Repeatable: a weight is taken from the last file that has it, and from an ONNX "
                 "model where none has")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option(
         "--cpu", line.options.cpu,
         "The CPU to compile for: native (the default: this one, so that others may lack "
         "what the code needs), x86-64-v3 (AVX2), x86-64-v4 (AVX-512), znver4 ...; several, as in "
         "x86-64-v3,x86-64-v4, in one file that chooses where it is loaded")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--features", line.options.features, "Changes to what that CPU has: +avx2,-fma")
      ->type_name("LIST")
      ->group(group);
  app.add_option_function<std::string>(
         "--fp",
         [&line](const std::string &value) { line.options.strict_arithmetic = value == "strict"; },
         "Rounding: strict keeps to direct convolution; the default also uses Winograd's\n"
         "method where faster, as far as --max-error allows, and where an infinity or NaN\n"
         "in the input makes NaN of the tiles that read it, up to 6x6 pixels each")
      ->type_name("strict|default")
      ->check(CLI::IsMember({"strict", "default"}))
      ->group(group);
  app.add_option(
         "--max-error", line.options.max_error,
         "By how much Winograd's method may miss the sums of a convolution, relative to the "
         "largest of them; default: 1e-5")
      ->type_name("X")
      ->check(positive_number())
      ->group(group);
  app.add_option("--jobs", line.options.jobs, "Threads that compile; default: one per core")
      ->type_name("N")
      ->check(CLI::Range(1u, 1024u))
      ->group(group);
  app.add_option("--max-memory", line.options.max_memory,
                 "Memory for the values of constants while they are computed, and for a model that "
                 "is run here, as in 500MB or 8GB; default: half of the machine's")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false))
      ->group(group);
}

void add_pass_options(CLI::App &app, CommandLine &line, Flags &flags) {
  const char *group = "Passes";
  auto add_list = [&](const char *name, std::vector<std::string> &list, const char *help) {
    app.add_option(name, list, help)
        ->type_name("PASS")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->group(group);
  };
  flags.passes_given = app.add_option("--passes", flags.passes,
                                      "Run exactly these passes, comma-separated; none for none")
                           ->type_name("LIST")
                           ->group(group);
  app.add_option("--stop-after", line.options.stop_after, "Run the passes up to this one")
      ->type_name("PASS")
      ->group(group);
  add_list("--print-after", line.options.print_after,
           "Print the text after this pass (or after all) to standard output");
  add_list("--print-before", line.options.print_before, "The same before this pass");
  app.add_flag("--print-after-change{diff}", flags.changes,
               "Print what every pass changes, as a unified diff, or with =text the whole text; "
               "nothing of passes that change nothing")
      ->check(CLI::IsMember({"diff", "text"}))
      ->group(group);
  app.add_option("--print-kernel", line.options.print_kernel,
                 "With these, or --emit=graph, loops, llvm or asm: only the kernel of this name")
      ->type_name("@NAME")
      ->group(group);
  app.add_option("--color", flags.color, "Colours in diffs; default: auto, on a terminal")
      ->type_name("always|never|auto")
      ->check(CLI::IsMember({"always", "never", "auto"}))
      ->group(group);
  app.add_flag("--stats{table}", flags.statistics,
               "Print what every pass has done in numbers: ops, kernels, fused ops, bytes, loops; "
               "with =json for programs")
      ->check(CLI::IsMember({"table", "json"}))
      ->group(group);
  app.add_flag("--time", line.time, "Print the time of every pass and step")->group(group);
}

void add_run_options(CLI::App &app, CommandLine &line, Flags &flags) {
  const char *group = "Running";
  app.add_flag("--run", flags.run,
               "Run the model here on one .npy file per input, or on random inputs without any")
      ->group(group);
  app.add_flag("--time-run", flags.time_run,
               "Run the model here for a second, and print the median and the least time")
      ->group(group);
  app.add_flag(
         "--profile{equal}", flags.profile,
         "Run the model here for some seconds, and print the time of every kernel and what it "
         "reaches of the machine's peak; kernels of equal code in one row, =each in their own")
      ->check(CLI::IsMember({"equal", "each"}))
      ->group(group);
  app.add_option("--json", line.json_file, "With --profile: the numbers for programs, too")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--trace", line.trace_file,
                 "With --profile: one run as a Chrome trace, which ui.perfetto.dev shows, with a "
                 "lane for each thread")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--runs", line.profile.runs,
                 "With --profile: so many runs; default: about three seconds, at least 11")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->group(group);
  app.add_flag(
         "--verify", flags.verify,
         "Compare the output of every kernel with the reference interpreter; takes the inputs "
         "of --run, or random ones")
      ->group(group);
  app.add_flag("--compare", flags.compare,
               "Run the model on the .npy files of its inputs, and compare what it gives with "
               "those of its outputs from elsewhere, which follow")
      ->group(group);
  app.add_option("--compare-each", line.reference,
                 "Compare every value on the way with the tensor of its name in a folder of .npy "
                 "files or in a .npz file, and say where the first difference comes from; inputs "
                 "behind the model, or there, too")
      ->type_name("FOLDER|FILE.npz")
      ->group(group);
  app.add_option("--outputs", line.output_folder, "Write every output to FOLDER/name.npy")
      ->type_name("FOLDER")
      ->group(group);
  app.add_option("--threads", line.threads, "Threads that run the model; default: 1")
      ->type_name("N")
      ->check(CLI::Range(1u, 1024u))
      ->group(group);
  app.add_option("--seed", line.seed, "Seed of random inputs; default: 1")
      ->type_name("N")
      ->group(group);
  app.add_option("--tolerance", line.tolerance,
                 "Error that --verify allows, relative to the largest value; default: 1e-4. "
                 "--compare and --compare-each allow this much of the largest value, or of 1, and "
                 "5 times as much of "
                 "the element; default: 2e-4")
      ->type_name("X")
      ->check(positive_number())
      ->group(group);
}

void add_reduce_options(CLI::App &app, CommandLine &line, Flags &flags) {
  const char *group = "Reporting bugs";
  app.add_flag("--reduce", flags.reduce,
               "Make the model as small as it can be while the command of --test succeeds, and "
               "write it to -o small.ir or standard output")
      ->group(group);
  app.add_option(
         "--test", line.test,
         "With --reduce: a command of the shell that gives exit code 0 where the bug shows; "
         "the file of the model stands in place of {}, or behind it")
      ->type_name("COMMAND")
      ->group(group);
  app.add_option("--test-timeout", line.test_timeout,
                 "With --reduce: seconds after which the command is killed, and has failed; "
                 "default: 60")
      ->type_name("SECONDS")
      ->check(number_between(0.001, 1e6))
      ->group(group);
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
  std::vector<std::pair<const char *, Action>> asked;
  auto ask = [&](bool wanted, const char *name, Action action) {
    if (wanted)
      asked.emplace_back(name, action);
  };
  ask(flags.list_ops, "--list-ops", Action::list_ops);
  ask(flags.list_passes, "--list-passes", Action::list_passes);
  ask(flags.lsp, "--lsp", Action::serve_editor);
  ask(flags.check, "--check", Action::check);
  ask(flags.summary, "--summary", Action::summary);
  ask(!flags.emit.empty(), "--emit", Action::emit);
  ask(flags.verify, "--verify", Action::verify);
  ask(flags.run && !flags.verify, "--run", Action::run);
  ask(flags.time_run, "--time-run", Action::time_run);
  ask(!flags.profile.empty(), "--profile", Action::profile);
  ask(flags.compare, "--compare", Action::compare);
  ask(!line.reference.empty(), "--compare-each", Action::compare_each);
  ask(flags.reduce, "--reduce", Action::reduce);
  if (asked.size() > 1)
    return mistake(fmt::format("{} and {} exclude each other", asked[0].first, asked[1].first));
  if (!asked.empty())
    line.action = asked.front().second;
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
      {"--trace", line.trace_file}};
  const bool text = output.extension() == ".ir";
  if (text && (line.action == Action::compile || line.action == Action::reduce))
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
                line.action == Action::list_ops || line.action == Action::list_passes;
  if (line.action == Action::reduce && !line.output.empty() && line.output != "-" &&
      extension != ".ir")
    return mistake(fmt::format("--reduce writes a text: -o small.ir, not '{}'", line.output));
  if (!writes && !line.output.empty())
    return mistake("-o has no meaning here");
  if (!line.depfile.empty() && (line.action != Action::compile || extension == ".ir"))
    return mistake("--write-dependencies goes with -o model.so, model.o or model.a");
  if (!line.output.empty() && !line.output_folder.empty())
    return mistake("-o and --outputs exclude each other");
  return check_written_files(line);
}

/// What runs the model, and takes tensors.
const std::vector<Action> &runs() {
  static const std::vector<Action> actions = {Action::run,     Action::time_run,
                                              Action::profile, Action::verify,
                                              Action::compare, Action::compare_each};
  return actions;
}

/// Which of the files is the model. Only some actions take tensors.
std::optional<int> take_files(CommandLine &line, const Flags &flags) {
  const bool lists = line.action == Action::list_ops || line.action == Action::list_passes;
  const bool serves = line.action == Action::serve_editor;
  if (flags.files.empty() && !lists && !serves)
    return mistake("no model given; a text file, an ONNX file, or - for standard input");
  bool takes_tensors = std::ranges::find(runs(), line.action) != runs().end();
  size_t models = lists || serves ? 0 : 1;
  if (!takes_tensors && flags.files.size() > models)
    return mistake(fmt::format("'{}' is too much: {}", flags.files[models],
                               lists    ? "a list needs no model"
                               : serves ? "--lsp gets its texts from the editor"
                                        : "one model at a time"));
  if (models > 0)
    line.input = flags.files.front();
  if (takes_tensors)
    line.tensors.assign(flags.files.begin() + 1, flags.files.end());
  if (line.action == Action::compare && line.tensors.empty())
    return mistake("--compare takes the .npy files of the inputs and outputs behind the model");
  return std::nullopt;
}

/// Options that only some actions heed, and these.
struct Effect {
  const char *option;
  std::vector<Action> actions;
  const char *goes_with;
};

const std::vector<Effect> &effects() {
  static const std::vector<Effect> table = {
      {"--outputs", {Action::run}, "--run"},
      {"--threads",
       {Action::run, Action::time_run, Action::profile, Action::compare, Action::compare_each},
       "--run, --time-run, --profile, --compare and --compare-each"},
      {"--seed",
       {Action::run, Action::time_run, Action::profile, Action::verify, Action::compare},
       "--run, --time-run, --profile, --verify and --compare"},
      {"--json", {Action::profile}, "--profile"},
      {"--trace", {Action::profile}, "--profile"},
      {"--runs", {Action::profile}, "--profile"},
      {"--tolerance",
       {Action::verify, Action::compare, Action::compare_each},
       "--verify, --compare and --compare-each"},
      {"--test", {Action::reduce}, "--reduce"},
      {"--test-timeout", {Action::reduce}, "--reduce"},
      {"--markdown", {Action::list_ops, Action::list_passes}, "--list-ops and --list-passes"},
  };
  return table;
}

/// An option without effect is a misunderstanding.
std::optional<int> check_effects(const CommandLine &line, const CLI::App &app) {
  for (const Effect &effect : effects())
    if (app.get_option(effect.option)->count() > 0 &&
        std::ranges::find(effect.actions, line.action) == effect.actions.end())
      return mistake(fmt::format("{} goes with {}", effect.option, effect.goes_with));
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
                           line.action == Action::profile;
  if (given("--batch") && !line.options.gradients && !takes_batch)
    return mistake("--batch goes with --differentiate, --train, --run, --time-run and --profile");
  if (given("--batch") && line.options.gradients)
    line.options.batch = std::exchange(line.batch, 1);
  return std::nullopt;
}

/// What of the texts on the way is printed.
std::optional<int> interpret_printing(CommandLine &line, const Flags &flags) {
  const bool plain = std::getenv("NO_COLOR") != nullptr || isatty(STDOUT_FILENO) == 0;
  line.color = flags.color == "always" || (flags.color == "auto" && !plain);
  line.print_llvm = std::ranges::any_of(line.options.print_after, [](const std::string &pass) {
    return pass == "all" || pass == llvm_step;
  });
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

/// Values of the model as it is written are compared.
std::optional<int> check_compare_each(const CommandLine &line) {
  if (line.action == Action::compare_each && (line.options.gradients || line.options.passes))
    return mistake("--compare-each is for the values of the model as it is written: leave "
                   "--passes, --differentiate and --train out");
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
  if (std::optional<int> code = check_reduce(line))
    return code;
  if (std::optional<int> code = interpret_stage(line, flags))
    return code;
  return interpret_printing(line, flags);
}

} // namespace

namespace {

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
  CLI::App app(description, "cnnc");
  app.footer(examples);
  app.set_version_flag("--version", version());
  app.get_formatter()->column_width(28);
  add_output_options(app, line, flags);
  add_compile_options(app, line);
  add_pass_options(app, line, flags);
  add_training_options(app, line, flags);
  add_run_options(app, line, flags);
  add_reduce_options(app, line, flags);
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
