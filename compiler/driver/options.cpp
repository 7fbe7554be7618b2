#include "compiler/driver/options.h"

#include <fmt/format.h>
#include <map>

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
  cnnc lenet.ir --explain                why every kernel is as it is, and what it should take
  cnnc lenet.ir --explain=@conv2 digit.npy               one at length, with its measured time
  cnnc lenet.ir --compare-schedules=@conv2               how long it would take, computed otherwise
  cnnc lenet.ir --set '@conv2.tile=[oc:16, ow:5]' -o lenet.so             decided by you
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
  cnnc lenet.ir --report lenet.html      a page that shows all of this: network, passes, kernels
  cnnc lenet.ir --emit=dot | dot -Tsvg -o lenet.svg     a picture
  cnnc --lsp                             for editors: examples/editors says how they start it

Exit codes: 0 fine, 1 the input is wrong, 2 the command line is wrong.
)";

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

void add_output_options(CLI::App &app, CommandLine &line, Flags &flags) {
  app.add_option("model", flags.files,
                 "The model, a text or an ONNX file, or - for standard input; behind it the .npy "
                 "files of what runs it: --run, --time-run, --profile, --explain, --report, "
                 "--verify, --compare and --compare-each")
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
  app.add_option("--report", line.report,
                 "Write a page of HTML that shows what the compiler did: network, passes, kernels, "
                 "memory, times; on the .npy files of inputs, if any, times are measured")
      ->type_name("FILE.html");
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
  app.add_option_function<std::string>(
         "--weights-type",
         [&line](const std::string &value) {
           line.options.weights_type = value == "bf16"  ? WeightsType::bf16
                                       : value == "f16" ? WeightsType::f16
                                                        : WeightsType::f32;
         },
         "How large weights are stored: bf16 and f16 halve them and round them to 8 and 11 binary\n"
         "digits; f16 ends at 65504. They are widened where they are read, and sums are of f32;\n"
         "default: f32")
      ->type_name("f32|bf16|f16")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->group(group);
  app.add_option(
         "--set", line.options.overrides,
         "Decide in place of the compiler: @conv1.winograd=4, '@conv1.tile=[oc:32, ow:12]', "
         "@conv1.prefetch=none; %c for the kernel that computes a value; repeatable")
      ->type_name("@KERNEL.WHAT=VALUE")
      ->allow_extra_args(false)
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
  flags.passes_given =
      app.add_option("--passes", flags.passes,
                     "Run exactly these passes, comma-separated, with options as in "
                     "choose_algorithms:max_error=1e-3; none for none")
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
  app.add_option("--compare-schedules", line.compared_kernel,
                 "Measure the kernel of this name alone in all the ways that the compiler can "
                 "compute it: algorithms, register tiles, orders of loops ...")
      ->type_name("@NAME")
      ->group(group);
  app.add_option("--seconds", line.seconds,
                 "With --compare-schedules: how long to measure; default: 20")
      ->type_name("SECONDS")
      ->check(number_between(0, 1e6))
      ->group(group);
  app.add_flag("--explain{all}", flags.explain,
               "Say why every kernel is as it is: algorithm, fusion, layout, schedule, registers, "
               "and the time that it should take; =@NAME one kernel at length. With the .npy files "
               "of --run, or --runs, what it takes here, too")
      ->type_name("@NAME")
      ->group(group);
  app.add_option(
         "--json", line.json_file,
         "With --profile, --explain and --compare-schedules: the same for programs; - for "
         "standard output, instead of the text. With --list-ops and --list-passes: all that "
         "is known of them")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--trace", line.trace_file,
                 "With --profile: one run as a Chrome trace, which ui.perfetto.dev shows, with a "
                 "lane for each thread")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--runs", line.profile.runs,
                 "With --profile and --explain: so many runs; default: about three seconds, at "
                 "least 11")
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

const std::map<std::string, RangeMethod> &range_methods() {
  static const std::map<std::string, RangeMethod> table = {{"min-max", RangeMethod::min_max},
                                                           {"percentile", RangeMethod::percentile},
                                                           {"mse", RangeMethod::mse}};
  return table;
}

void add_calibrate_options(CLI::App &app, CommandLine &line) {
  const char *group = "Quantising";
  app.add_option(
         "--calibrate", line.images,
         "Make a model of 8-bit integers, -o model_int8.ir, of a float one: weights by their "
         "largest, activations by what they are on these images. Prints how much each "
         "layer hurts; .npy files of an image, or of several behind each other")
      ->type_name("'PATTERN'")
      ->group(group);
  app.add_option_function<std::string>(
         "--calibrate-method",
         [&line](const std::string &name) { line.calibrate.method = range_methods().at(name); },
         "With --calibrate: the range that the 256 steps of an activation cover: all of its values "
         "(min-max, the default), all but a part in 10,000 at each end (percentile), or that of "
         "the least squared error (mse)")
      ->type_name("METHOD")
      ->check(CLI::IsMember(range_methods()))
      ->group(group);
  app.add_option("--keep-float", line.calibrate.keep_float,
                 "With --calibrate: so many layers stay float, those that hurt the output most")
      ->type_name("N")
      ->group(group);
  app.add_option(
         "--calibrate-error", line.calibrate.max_error,
         "With --calibrate: as many layers more stay float as it takes for a relative error "
         "of the output of at most this much")
      ->type_name("X")
      ->check(positive_number())
      ->group(group);
  app.add_option_function<std::string>(
         "--calibrate-bias",
         [&line](const std::string &value) { line.calibrate.correct_bias = value == "correct"; },
         "With --calibrate: correct takes the mean error of each channel off its bias (the "
         "default), keep leaves biases as they are")
      ->type_name("correct|keep")
      ->check(CLI::IsMember({"correct", "keep"}))
      ->group(group);
  app.add_option_function<std::string>(
         "--calibrate-channels",
         [&line](const std::string &value) { line.calibrate.equalize = value == "equalize"; },
         "With --calibrate: equalize multiplies the channels of what a layer reads so that all "
         "reach equally far, and divides its filter (the default), keep leaves them as they are")
      ->type_name("equalize|keep")
      ->check(CLI::IsMember({"equalize", "keep"}))
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

} // namespace

void add_options(CLI::App &app, CommandLine &line, Flags &flags) {
  app.name("cnnc");
  app.description(description);
  app.footer(examples);
  app.set_version_flag("--version", version());
  app.get_formatter()->column_width(28);
  add_output_options(app, line, flags);
  add_compile_options(app, line);
  add_pass_options(app, line, flags);
  add_training_options(app, line, flags);
  add_run_options(app, line, flags);
  add_calibrate_options(app, line);
  add_reduce_options(app, line, flags);
}

} // namespace cnnc::driver
