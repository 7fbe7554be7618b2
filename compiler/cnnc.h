// The C++ interface of the compiler. Needs the standard library and cnnc_runtime.h only.
//
//   cnnc::Result<cnnc::Model> model = cnnc::load("lenet.ir");
//   cnnc::Result<cnnc::Program> program = cnnc::jit(*model);
//   program->run({image}, {probabilities});
//
// Nothing here throws (but for exhausted memory), prints or keeps global state. Functions that take
// a Model by const reference may run on several threads at the same time.
#pragma once

#include <cnnc_runtime.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cnnc {

/// What went wrong: all diagnostics, each `file:line:column: error: ...` with the line and a caret.
struct Error {
  std::string text;
};

/// Where a failed Result is used as if it had a value: prints the error and ends the program.
[[noreturn]] inline void stop_at_unchecked(const Error &error) {
  std::fprintf(stderr, "%scnnc: error: this result was used, but it is an error\n",
               error.text.c_str());
  std::abort();
}

/// A value, or the error that kept it from being made. Using the value of an error prints the error
/// and ends the program.
template <class T> class [[nodiscard]] Result {
public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}     // NOLINT
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {} // NOLINT

  explicit operator bool() const { return content_.index() == 0; }
  T &operator*() { return *checked(); }
  const T &operator*() const { return *checked(); }
  T *operator->() { return checked(); }
  const T *operator->() const { return checked(); }
  /// Empty when there is a value.
  std::string_view error() const {
    const Error *error = std::get_if<1>(&content_);
    return error ? std::string_view(error->text) : std::string_view();
  }

private:
  T *checked() { return const_cast<T *>(std::as_const(*this).checked()); }
  const T *checked() const {
    if (const Error *error = std::get_if<1>(&content_))
      stop_at_unchecked(*error);
    return std::get_if<0>(&content_);
  }
  std::variant<T, Error> content_;
};

/// Success, or the error.
template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {} // NOLINT

  explicit operator bool() const { return !error_; }
  std::string_view error() const {
    return error_ ? std::string_view(error_->text) : std::string_view();
  }

private:
  std::optional<Error> error_;
};

/// A text that has been read: models, and kernels that are already loops. Copies share it.
class Model {
public:
  struct Content;
  explicit Model(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
  const Content &content() const { return *content_; }

  /// Names of the models in the text, in its order.
  std::vector<std::string> names() const;

private:
  std::shared_ptr<const Content> content_;
};

/// How large constants are stored that convolutions, dense layers and products of matrices multiply
/// by: bf16 has the exponents of f32 and 8 binary digits, f16 11 digits and numbers up to 65504.
enum class WeightsType { f32, bf16, f16 };

/// Where an ONNX file has its weights: in itself, in FILE.data beside it, or in itself as long as
/// protobuf can read the file (2 GB).
enum class OnnxWeights { automatic, inside, beside };

/// Stands in Options::print_after for LLVM IR, as if a pass of this name made it.
inline constexpr std::string_view llvm_step = "emit_llvm";

/// The loss of a model whose output is not one number already. Automatic: cross_entropy for [n,
/// classes], else mean_squared_error.
enum class Loss { automatic, cross_entropy, mean_squared_error, binary_cross_entropy };

/// Which gradients a model returns.
struct GradientOptions {
  /// Weights and inputs whose gradients are wanted, by their names, in which * stands for any
  /// characters and ? for one; empty: all weights.
  std::vector<std::string> of;
  /// Put behind the model, with an input %labels (i64 [n]) or %targets, where it does not return one
  /// number.
  Loss loss = Loss::automatic;
  double label_smoothing = 0; // of cross_entropy, in [0, 1)
};

enum class Optimizer { sgd, adamw };

/// A step of training: from weights to weights.
struct TrainingOptions {
  /// sgd: v = momentum * v + g, w = w - rate * v, where g = gradient + weight_decay * w (Sutskever et
  /// al. 2013, as PyTorch has it). adamw: Loshchilov and Hutter 2019.
  Optimizer optimizer = Optimizer::sgd;
  double momentum = 0.9;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8; // of adamw
  double weight_decay = 0;
  /// Weights that stay as they are, by their names, in which * stands for any characters and ? for
  /// one. A ! in front takes names back from those before it: {"*", "!fc.*"} are all but the weights
  /// of fc. A batch norm whose statistics are frozen uses these, as at inference.
  std::vector<std::string> freeze;
};

/// What a pass has done, in numbers of the text before and after it.
struct PassStatistics {
  struct Change {
    std::string what; // "ops", "conv2d", "fused ops", "bytes of workspace", "vector loops" ...
    int64_t before = 0, after = 0;
  };
  std::string pass;
  std::string cpu; // that it ran for, as Options::cpu names it
  std::chrono::nanoseconds time{};
  std::vector<Change> changes; // in the order of the alphabet; none: it has changed nothing of that
};

struct Options {
  /// Which model, when the text holds several. Empty: the only one.
  std::string model;
  /// The name that the model has from here on, a C identifier: the prefix of its symbols and of the
  /// macros of its header. Empty: its own, other characters than those of C as '_'. Two models of one
  /// name, or one model for two CPUs, need different ones in one program.
  std::string name;
  /// .safetensors files with weights, of which each is taken from the last file that has it, and from
  /// an ONNX file where none has. Empty: what a text says, or the file beside it with the same name.
  std::vector<std::filesystem::path> weights;
  /// The CPU to compile for: empty or "native", or a name of LLVM ("x86-64-v3", "skylake-avx512").
  /// What is written may be for several, "x86-64-v3,x86-64-v4": weights and code are in it once for
  /// each, and NAME_model() returns the best that runs on the machine.
  std::string cpu;
  /// Changes to what that CPU has: "+avx2,-fma".
  std::string features;
  /// Only direct convolution: it rounds as the definition does, and infinities and NaN stay where
  /// the definition has them. Else Winograd's method may be used, as far as `max_error` lets it,
  /// which spreads infinities and NaN over neighbouring pixels.
  bool strict_arithmetic = false;
  /// By how much Winograd's method may miss the sums of a convolution that it computes, relative to
  /// the largest element of the result: tiles are chosen by an estimate for inputs and filters as
  /// networks have them. Positive.
  double max_error = 1e-5;
  /// How large constants are stored that convolutions, dense layers and products of matrices multiply
  /// by. Sums are of f32 all the same.
  WeightsType weights_type = WeightsType::f32;
  /// Threads that compile; 0: one per core.
  unsigned jobs = 0;
  /// Bytes that the values of constants may take while they are computed, jit() for weights and
  /// workspace, and verify() for these, inputs, outputs and values of the reference interpreter. 0:
  /// half of what the machine has.
  uint64_t max_memory = 0;
  /// Exactly these passes instead of the default ones; a pass may have options, "PASS:NAME=VALUE"
  /// (list_passes() shows them).
  std::optional<std::vector<std::string>> passes;
  /// Decided by the user: "@conv1.winograd=4" for the convolution of a kernel, "@conv1.tile=[oc:32,
  /// ow:12]" for an entry of its schedule, "@conv1.prefetch=none" for a schedule without it, and the
  /// same with a value for the kernel that computes it, "%c.tile=..". The compiler decides the rest.
  std::vector<std::string> overrides;
  /// Differentiate the model: behind its outputs, of which the first is the loss, it returns the
  /// gradients.
  std::optional<GradientOptions> gradients;
  /// Make a training step of the model, with the loss that `gradients` names. It has an input more,
  /// the rate (f32[]), and one for each tensor of the state: weights, momenta, running statistics,
  /// "step". Its outputs are the loss and the next state, each in the memory of its input.
  std::optional<TrainingOptions> training;
  /// With `gradients` or `training`: compute values of the forward pass again that are cheap to
  /// compute, where keeping them for the backward pass would make the workspace larger. The results
  /// are the same to the bit.
  bool rematerialize = false;
  /// The first dimension of all inputs, in place of what the text says; 0: as it is.
  int64_t batch = 0;
  /// Of write_onnx.
  OnnxWeights onnx_weights = OnnxWeights::automatic;

  /// The last of the passes that is run; empty: all are.
  std::string stop_after;

  /// Called with the text before and after each pass.
  std::function<void(std::string_view pass, const std::string &text)> before_pass, after_pass;
  /// The passes before which `before_pass` and after which `after_pass` is called, the latter also
  /// for llvm_step; "all" stands for all.
  std::vector<std::string> print_before, print_after;
  /// Of these texts, and of those that emit() and explain() give, only the kernel of this name: its
  /// ops in the graph, its loops, its code. Passes before there are kernels have nothing to show.
  std::string print_kernel;
  /// Called after each pass with what it has changed. Counting takes a few milliseconds.
  std::function<void(const PassStatistics &)> statistics;
  /// Called with notes for the user.
  std::function<void(const std::string &)> remark;
  /// Called after each of the pieces of what may take long: so many of `total` are done, "passes
  /// run", "kernels compiled", "constants computed", of verify() "ops interpreted" and "kernels
  /// verified", of compare_schedules() "candidates compiled" and "rounds measured", of write_report()
  /// "kernels printed" and "sections written". From any thread, but never from two at a time.
  std::function<void(std::string_view what, size_t done, size_t total)> progress;
  /// Called with the time that each pass, and each step after the passes, took.
  std::function<void(std::string_view step, std::chrono::nanoseconds)> timing;
};

/// How an ONNX file is read.
struct LoadOptions {
  /// Shapes of inputs, "NAME=1x3x640x640", or "1x3x640x640" for the only input. A name instead of
  /// the first number, "nx3x640x640", is a batch whose size is given at each call.
  std::vector<std::string> shapes;
  /// Called with notes for the user.
  std::function<void(const std::string &)> remark;
  /// As in Options: "nodes imported".
  std::function<void(std::string_view what, size_t done, size_t total)> progress;
};

/// Reads a text. `file` is its name in diagnostics, and weights are looked for beside it.
Result<Model> parse(std::string_view text, std::string_view file = "<memory>");
/// Reads a text or an ONNX file (.onnx, or whose first byte says so); "-" is standard input. The
/// model may keep the file mapped: replace it, but do not shorten it.
Result<Model> load(const std::filesystem::path &file, const LoadOptions &options = {});
/// Reads an ONNX file that lies in memory, of which it makes a copy. `file` is its name in
/// diagnostics, and external data is looked for beside it.
Result<Model> load_onnx(std::string_view bytes, std::string_view file = "<memory>",
                        const LoadOptions &options = {});

/// Writes what has been read from an ONNX file, or reduce() has made, as text, and its weights, if it
/// has any, beside it with the extension .safetensors, those of Options::weights in place of its own.
/// Compiling that text gives the same bits as compiling the model. Existing files are replaced only
/// when all went well. An error for a model that is a text already.
Result<void> write_ir(const Model &model, const std::filesystem::path &file,
                      const Options &options = {});

/// Everything that can be wrong with a model before code is generated: types, weights.
Result<void> check(const Model &model, const Options &options = {});

enum class Stage {
  graph,    // the graph after its passes
  loops,    // the whole text as it is compiled: register tiles that spill are smaller
  llvm,     // LLVM IR of the kernels
  assembly, // machine code as text
  object,   // a relocatable object: the bytes of a .o file
  header,   // the model's C header
  dot,      // the graph for Graphviz
  onnx,     // the graph as it was written: the bytes of an ONNX file, weights inside
};

/// The text (bytes) of one stage. With Options::passes, `graph`, `loops` and `onnx` are what these
/// passes give. Without, `loops` takes the time of generating code, which tells what spills; where
/// a text holds several models and none is chosen, it shows the first tiles.
Result<std::string> emit(const Model &model, Stage stage, const Options &options = {});

/// What was written. Sizes in bytes.
struct Artifact {
  std::filesystem::path file;
  /// NAME.h beside it. cnnc_runtime.h, which it includes, is there, too, and cnnc_model.hpp for C++.
  std::filesystem::path header;
  uint64_t file_size = 0;
  uint64_t code_size = 0;
  uint64_t weights_size = 0;
  uint64_t workspace_size = 0;
  /// What it would be without Options::rematerialize; 0 where that is not asked for.
  uint64_t workspace_size_if_kept = 0;
  /// The files that were read: the model, its weights, the external data of an ONNX file.
  std::vector<std::filesystem::path> sources;
};

/// Write a library that needs nothing but libc, an object or an archive to link statically. An
/// existing file is replaced only when all went well.
Result<Artifact> write_shared_library(const Model &model, const std::filesystem::path &file,
                                      const Options &options = {});
Result<Artifact> write_object(const Model &model, const std::filesystem::path &file,
                              const Options &options = {});
Result<Artifact> write_archive(const Model &model, const std::filesystem::path &file,
                               const Options &options = {});

/// Writes the model as it was written (or as Options::passes make it) as an ONNX file, opset 17,
/// without copies of its weights in memory. "-" is standard output. An existing file is replaced
/// only when all went well.
Result<void> write_onnx(const Model &model, const std::filesystem::path &file,
                        const Options &options = {});

/// A model compiled into this process. May be run by several threads at a time; copies share it.
class Program {
public:
  struct Content;
  explicit Program(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

  /// Tensors, kernels and sizes: the same table that a compiled library exports.
  const cnnc_model_v1 &table() const;

  /// Runs the model on one pointer per input and output, each a dense row-major tensor. A workspace
  /// of cnnc_workspace_size(&table(), threads) bytes is allocated for the call unless one is given.
  Result<void> run(std::span<const void *const> inputs, std::span<void *const> outputs,
                   const cnnc_context *context = nullptr, void *workspace = nullptr) const;
  Result<void> run(std::initializer_list<const void *> inputs,
                   std::initializer_list<void *> outputs, const cnnc_context *context = nullptr,
                   void *workspace = nullptr) const {
    return run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()),
               context, workspace);
  }

  const Content &content() const { return *content_; }

private:
  std::shared_ptr<const Content> content_;
};

Result<Program> jit(const Model &model, const Options &options = {});

/// The model with gradients behind its outputs, as Options::gradients makes it of it: a text like any
/// other, with the weights of the model. The options choose a model and its batch.
Result<Model> differentiate(const Model &model, const GradientOptions &gradients = {},
                            const Options &options = {});

/// A model that learns in this process: the step that Options::training makes, and its state.
///
///   cnnc::Options options;
///   options.training.emplace();
///   options.batch = 64;
///   cnnc::Result<cnnc::Trainer> trainer = cnnc::Trainer::create(*cnnc::load("lenet.ir"), options);
///   trainer->read("lenet.safetensors");
///   cnnc::Result<float> loss = trainer->step({images, labels}, 0.01F);
///   trainer->write("trained.safetensors");
class Trainer {
public:
  /// Compiles the step. The state is zeros: read() weights (of an ONNX model, the file that write_ir()
  /// writes), or fill tensor() with random ones.
  static Result<Trainer> create(const Model &model, const Options &options);

  /// One step on one pointer per input of the model and its loss, the labels or targets last, each a
  /// dense row-major tensor. Returns the loss before the update. Labels that are no class, and a
  /// loss that is no finite number, are errors; with such labels the state stays as it is.
  Result<float> step(std::span<const void *const> inputs, float rate,
                     const cnnc_context *context = nullptr);
  Result<float> step(std::initializer_list<const void *> inputs, float rate,
                     const cnnc_context *context = nullptr) {
    return step(std::span(inputs.begin(), inputs.size()), rate, context);
  }

  /// A tensor of the state by its name in files; empty when there is none.
  std::span<float> tensor(std::string_view name);
  std::vector<std::string> tensor_names() const;

  /// A .safetensors file of the state: the weights under their own names, momenta and running
  /// statistics. Reading takes plain weights, too: momenta are then zero. An existing file is
  /// replaced only when all went well, and the state changes only when all was read.
  Result<void> write(const std::filesystem::path &file) const;
  Result<void> read(const std::filesystem::path &file);

  const Program &program() const { return program_; }

private:
  struct State;
  Trainer(Program program, std::shared_ptr<State> state)
      : program_(std::move(program)), state_(std::move(state)) {}
  Program program_;
  std::shared_ptr<State> state_;
};

/// One value that a kernel computed, compared with the reference interpreter.
struct VerifiedValue {
  std::string kernel;
  std::string value;
  double largest = 0; // of the reference's magnitudes
  double error = 0;   // the largest difference
  bool wrong = false; // error > tolerance * largest, or NaN on one side only
  double relative() const { return largest > 0 ? error / largest : error; }
};

struct Verification {
  std::vector<VerifiedValue> values; // in the order in which kernels compute them
  /// Against the model as it was written, before any pass; with Options::weights_type other than f32
  /// against the graph just before lowering, which has the rounded weights.
  std::vector<VerifiedValue> outputs;
  bool passed() const;
};

/// Makes the bytes of every input of a model, dense and row-major, one image of each.
using InputMaker =
    std::function<Result<std::vector<std::vector<std::byte>>>(const cnnc_model_v1 &)>;

/// Runs the model's kernels one after the other and compares what each wrote with the reference
/// interpreter.
Result<Verification> verify(const Model &model, const InputMaker &make_inputs,
                            double tolerance = 1e-4, const Options &options = {});

/// One kernel of a compiled model: what it computes, and how the compiler chose to compute it.
struct KernelInfo {
  std::string name;
  std::string
      source; // where its main op stands: "lenet.ir:14", or of an ONNX file "node 'conv1' (Conv)"
  std::string code;      // kernels with the same code have the same text here
  std::string ops;       // "conv2d 64->64 3x3/1 56x56 + relu"; empty when the text has loops only
  std::string algorithm; // "direct", "winograd(4)", "depthwise", "dense", "pool" ...
  std::string schedule;  // as in the graph: "schedule(vector=oc:16, ...)"; empty when there is none
  std::string tile;      // of that: "oc:32, ow:12"
  int64_t multiplications = 0; // of one image, by the direct formula whatever the algorithm
  // Products that an instruction multiplies and adds up in each lane: 4 or 2 of sums of integers.
  int32_t products = 1;
  // Sizes of what it reads and writes, as they lie in memory; of one image.
  int64_t weight_bytes = 0, input_bytes = 0, output_bytes = 0;
};

/// The kernels of a model in the order in which they run, that of cnnc_model_v1.kernel_names. Takes
/// as long as the passes; generates no code.
Result<std::vector<KernelInfo>> describe_kernels(const Model &model, const Options &options = {});

/// Why a kernel is as it is, and how long it should take.
struct KernelExplanation {
  /// An op of the kernel, in order.
  struct Op {
    std::string value;  // the name of its first result
    std::string text;   // the op in the graph's text as it is compiled: "relu %c : f32[1, 8, 6, 6]"
    std::string source; // where the user wrote it: "lenet.ir:14", or "node 'conv1' (Conv)"
    std::string line;   // of the text, as the user wrote it; empty for an ONNX file
  };
  /// One of the ways that a policy compared.
  struct Candidate {
    std::string choice;         // "winograd=4", "oc:64, ow:6"
    std::optional<double> cost; // in the unit of the decision, the less the better
    std::string note;           // why it was left out, or what it costs; may be empty
  };
  struct Decision {
    std::string pass;     // "choose_schedule"
    std::string subject;  // the kernel or value that it is about, without @ or %
    std::string question; // "algorithm", "layout", "fusion", "tile", "order", "prefetch" ...
    std::string chosen;
    std::string reason;
    std::string unit;                  // of the costs; empty where there are none
    std::vector<Candidate> candidates; // the chosen one among them; empty where a rule decided
  };
  /// Expected time on one core. An operation at peak is half of a fused multiply-add of one lane.
  struct ExpectedTime {
    double arithmetic = 0;   // operations at peak, with lanes and parts of tiles that nothing needs
    double waiting = 0;      // for loads and to begin: as many of them would take as long
    double memory_bytes = 0; // read and written beyond the caches
    /// With so many operations and bytes a second, as Profile has them. What is shorter, memory or
    /// the core, is hidden in part.
    double seconds(double peak, double bandwidth) const;
  };
  /// The innermost loop that most of the work is in, as machine code: that which carries the most
  /// sums around. Numbers of one iteration.
  struct InnerLoop {
    int64_t instructions = 0;
    int64_t vector_registers = 0;              // different ones
    int64_t accumulators = 0;                  // of these, carried from iteration to iteration
    int64_t spill_loads = 0, spill_stores = 0; // of vectors
  };

  KernelInfo info;
  std::vector<Op> ops;
  std::string result;                   // the type of what it computes, with its layout
  std::vector<Decision> decisions;      // in the order in which they were taken
  int64_t accumulators = 0;             // vectors of the register tile; 0 where there is none
  int64_t available_registers = 0;      // vector registers of the CPU
  int64_t spilled_accumulators = 0;     // that inner loops carry through the stack
  std::optional<InnerLoop> loop;        // none: a kernel without loops of one block of code
  int64_t scratch_bytes = 0;            // of the workspace, for itself alone
  int64_t scratch_bytes_per_thread = 0; // the same, once for every thread
  ExpectedTime time;
  double expected_operations = 0; // its time at the CPU's usual bandwidth, in operations at peak
  bool memory_bound = false;      // moving its bytes takes longer than its arithmetic

  double operations() const { return 2 * static_cast<double>(info.multiplications); }
  /// Of these, as many as take the time of all at the peak of fused multiply-adds: integers are
  /// multiplied several at a time.
  double operations_at_peak() const { return operations() / static_cast<double>(info.products); }
  /// Its place on the roofline: of the direct formula, by the bytes that it reads and writes.
  double operations_per_byte() const {
    const int64_t bytes = info.weight_bytes + info.input_bytes + info.output_bytes;
    return bytes > 0 ? operations() / static_cast<double>(bytes) : 0;
  }
};

/// The kernels in the order of describe_kernels(), or Options::print_kernel alone, with what the
/// compiler considered for each of them. Generates code, which it looks at.
Result<std::vector<KernelExplanation>> explain(const Model &model, const Options &options = {});

struct ProfileOptions {
  uint32_t threads = 1;
  int32_t products = 1; // the most of KernelInfo::products, for whose peak Profile has a place
  int64_t batch = 1;    // images, when the batch is symbolic
  int runs = 0;         // 0: three seconds of them, at least 11
  bool trace = false;
};

/// Times of every kernel as it runs in the model, with the caches as the kernels before it leave
/// them, and what the machine can do at most, measured in turn with the runs.
struct Profile {
  std::vector<std::vector<double>> kernels; // seconds, [kernel][run]
  std::vector<double> runs;                 // seconds of each, all included
  std::vector<double> peaks;                // fused multiply-adds before each run, in operations a
                                            // second, two for each
  std::vector<double> integer_peaks;        // the same of sums of integers, with how.products > 1
  double bandwidth = 0;                     // bytes a second read from memory

  /// What a thread did of a kernel, or, where no thread is given, the kernel. Seconds.
  struct Span {
    uint32_t kernel = 0;
    std::optional<uint32_t> thread;
    double begin = 0, end = 0;
  };
  std::vector<Span> trace; // of one run more, with ProfileOptions::trace
};

/// Runs the program again and again on one pointer per input. The options say for which CPU it was
/// compiled, and take the progress, "runs measured".
Result<Profile> profile(const Program &program, std::span<const void *const> inputs,
                        const ProfileOptions &how = {}, const Options &options = {});

/// One way to compute a kernel, and the time that it takes.
struct ScheduleCandidate {
  std::string algorithm; // as in KernelInfo
  /// What it has otherwise than the compiler would, for its algorithm: "tile", "order", "partial",
  /// "prefetch" ...; empty where it has all as the compiler would.
  std::string change;
  std::string schedule;           // as it is compiled, but for register tiles that spill
  bool chosen = false;            // by the compiler
  std::optional<double> loads;    // of its register tile, for each multiply-accumulate of vectors
  std::optional<double> expected; // seconds, by the compiler's cost model
  double median = 0, least = 0;   // seconds
  double error = 0;               // largest difference to the chosen one's results
  double largest = 0;             // of those
};

struct ScheduleComparison {
  KernelInfo kernel;
  std::vector<ScheduleCandidate> candidates; // the fastest first
  size_t left_out = 0; // that this kernel cannot have, or max_memory does not hold
  size_t rounds = 0;   // in each of which every candidate ran once
};

struct CompareSchedulesOptions {
  uint32_t threads = 1;
  double seconds = 20; // for the rounds; there are 5 at least
  /// Between results of candidates, as `cnnc --compare` has it; at least 0.02 with weights of 16 bits,
  /// which algorithms round in different places.
  double tolerance = 2e-4;
  uint64_t seed = 1; // of the inputs
};

/// Cuts a kernel out of the model, compiles it alone in all the ways that the compiler can compute
/// it, and measures these in turn, on random inputs. Candidates that differ in more than the
/// tolerance are an error. Options::overrides have no effect.
Result<ScheduleComparison> compare_schedules(const Model &model, const std::string &kernel,
                                             const CompareSchedulesOptions &how = {},
                                             const Options &options = {});

/// How the range of numbers is chosen that the 256 steps of a quantised value represent, from what it
/// is on the images: all of it; without a part in 10,000 at each end; or with the least squared error
/// of rounding and clamping together.
enum class RangeMethod { min_max, percentile, mse };

struct CalibrateOptions {
  RangeMethod method = RangeMethod::min_max;
  /// So many layers stay in floating point: those that hurt the output most.
  size_t keep_float = 0;
  /// As many more as it takes for a relative error of the outputs of at most this much.
  std::optional<double> max_error;
  /// Take the mean error of each channel off its bias.
  bool correct_bias = true;
  /// Multiply the channels that layers read so that all reach about equally far, as the images show
  /// them, and divide their filters.
  bool equalize = true;
  uint32_t threads = 1;
};

/// A convolution or dense layer whose filter is a constant. Errors are relative: the root of the sum of
/// squares of what quantising this layer alone changes, divided by that of the float values, over at
/// most 16 of the images. For an output that a softmax gives, what it reads counts, less its mean.
struct CalibratedLayer {
  std::string value; // the name of its result
  std::string op;
  bool quantized = false;  // else it stays float
  bool equalized = false;  // the channels that it reads are multiplied by what images show
  double result_error = 0; // of its result, before the activation
  double output_error = 0; // of the model's outputs
  /// In dB, 20 for each digit; infinite without an error.
  static double signal_to_noise(double error) { return -20 * std::log10(error); }
};

struct Calibration {
  Model model;                         // for write_ir()
  std::vector<CalibratedLayer> layers; // in the order of the text
  double error = 0;                    // of the outputs of the model as it is now, relative
  size_t images = 0;
};

/// Gives the bytes of every input for the next image, dense and row-major; nothing when there are no
/// more, and then the first again.
using ImageReader = std::function<Result<std::optional<std::vector<std::vector<std::byte>>>>(
    const cnnc_model_v1 &)>;

/// Makes of a float model one of integers: a text with `quantize` and `dequantize`, weights as i8 with
/// a scale for each output channel, activations as u8 with ranges that the images show. Batch norms are
/// folded first. The images are read twice where channels are equalized, for these and for ranges: the
/// reader begins again after it has given nothing. Of the values only histograms are kept. An error
/// for a model without layers to quantise, without images, and for a NaN or an infinity on the way.
Result<Calibration> calibrate(const Model &model, const ImageReader &next_image,
                              const CalibrateOptions &how = {}, const Options &options = {});

struct ReportOptions {
  /// The model runs on these inputs; empty: nothing is measured.
  InputMaker inputs;
  ProfileOptions profile;
};

/// Writes a page of HTML that shows what the compiler did, for people: the network, every pass, every
/// kernel from the text to its machine code, memory and times. One file, which needs no other and no
/// network. An existing file is replaced only when all went well. Returns the bytes written.
Result<uint64_t> write_report(const Model &model, const std::filesystem::path &file,
                              const ReportOptions &how = {}, const Options &options = {});

/// A table of the layers with shapes, parameters, multiplications and receptive fields; of both ways
/// with Options::gradients or Options::training.
Result<std::string> summary(const Model &model, const Options &options = {});

/// The smallest model that can be made of this one while the test says yes: for reports of bugs.
/// Ops, outputs, inputs, schedules and attributes are left out, dimensions halved, weights replaced
/// by `random` and `splat`, as long as the test succeeds, until nothing helps any more. The first
/// model that it sees is the one given, as text with its weights; an error when it fails for that.
/// All that it sees have types that fit. Options::model chooses a model, Options::remark hears of
/// every smaller one. The same test gives the same model.
Result<Model> reduce(const Model &model, const std::function<bool(const Model &)> &test,
                     const Options &options = {});

/// How lists are written: for people, as a Markdown table, or with all that is known, for programs.
enum class ListFormat { text, markdown, json };
/// The ops and passes there are.
std::string list_ops(ListFormat format = ListFormat::text);
std::string list_passes(ListFormat format = ListFormat::text);
/// "cnnc 0.1.0 (LLVM 22.1.8)"
std::string version();

} // namespace cnnc
