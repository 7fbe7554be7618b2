#include "compiler/pipeline/pipeline.h"

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/memory_plan.h"
#include "compiler/loop_passes/loop_passes.h"
#include "compiler/lowering/lower_loops.h"
#include "compiler/pipeline/needs.h"
#include "compiler/pipeline/pass_options.h"
#include "ir/graph/verifier.h"
#include "ir/loop/verifier.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// A pass over graphs, over the whole text, or over kernels of loops; behind the function what it
/// needs, what it does, and why it stands where it does.
constexpr Pass graph(std::string_view name, bool (*function)(Graph &, PassContext &),
                     const Need *needs, std::string_view summary, std::string_view place,
                     bool (*verify)(const Graph &, Diagnostics &) = nullptr) {
  return {name, summary, place, needs, function, nullptr, nullptr, verify};
}
constexpr Pass module(std::string_view name, bool (*function)(Module &, PassContext &),
                      const Need *needs, std::string_view summary, std::string_view place) {
  return {name, summary, place, needs, nullptr, function};
}
constexpr Pass loops(std::string_view name, bool (*function)(loop::Kernel &, PassContext &),
                     std::string_view summary, std::string_view place) {
  return {name, summary, place, nullptr, nullptr, nullptr, function};
}

constexpr Pass on_request(Pass pass) {
  pass.on_request = true;
  return pass;
}

constexpr Pass with(std::span<const PassOption> options, Pass pass) {
  pass.options = options;
  return pass;
}

constexpr const Need *nothing = nullptr;
constexpr const Need *types = &needs_types;
constexpr const Need *packed = &needs_packed_weights;

/// The order of the compiler, and why each pass stands where it does.
const std::vector<Pass> &table() {
  static const std::vector<Pass> passes = {
      graph("infer_shapes", infer_shapes, nothing,
            "computes the type of every value and checks every op",
            "First: everything after it may ask for the shape of any value"),
      with(gradient_options,
           on_request(graph(
               "differentiate", differentiate, types,
               "with --differentiate: adds the gradients of weights to the outputs",
               "On the model as it was written, so that rules are of the ops that people know"))),
      with(training_options,
           on_request(graph("make_training_step", make_training_step, types,
                            "with --train: a step of gradient descent, from weights to weights",
                            "Where differentiate stands, which is a part of it"))),
      graph("expand_training_ops", expand_training_ops, types,
            "writes losses, and batch norms with statistics of their own, with other ops",
            "Before what works on ops of inference: the ops it writes are rewritten and fused like "
            "all"),
      graph("lower_conv_transpose", lower_conv_transpose, types,
            "writes transposed convolutions as convolutions",
            "First of the rewrites, so that canonicalize, fold_batch_norm and choose_algorithms "
            "see ordinary convolutions"),
      graph("canonicalize", canonicalize, types, "rewrites ops into their simplest equal form",
            "One spelling for equal things, so that the passes below see fewer cases"),
      graph(
          "lower_quantized", lower_quantized, types,
          "computes quantised convolutions and dense layers in exact integers",
          "Before filters are folded with scales and norms: it looks for those that are quantised"),
      graph("recognize_ops", recognize_ops, types,
            "pattern matching: finds ops that are spelt with several others",
            "On one spelling, and before constants are folded, which its patterns look for"),
      graph("fold_batch_norm", fold_batch_norm, types,
            "turns batch_norm after a convolution or dense into its filter and bias",
            "Before constants are folded: it makes new constant arithmetic"),
      graph("absorb_scales", absorb_scales, types,
            "scales the filter of a convolution instead of its input",
            "After what needs constant filters: one that is scaled by a gate is none any more"),
      on_request(
          graph("equalize_channels", equalize_channels, types,
                "with --passes: makes the filters on both sides of a channel reach equally far",
                "Behind what changes filters, and before their arithmetic is computed")),
      graph("flatten_matmul", flatten_matmul, types,
            "makes one matrix product of many that share their right operand",
            "After patterns are found in the shapes that people write, and while biases are still "
            "ops"),
      graph("trim_padding", trim_padding, types,
            "leaves out the padding of a convolution that is many times its input",
            "After scales and biases have found their convolution, which is not the last op any "
            "more"),
      graph("fold_constants", fold_constants, types,
            "constant folding: computes small constants, removes arithmetic that changes nothing",
            "After all passes that make constant arithmetic"),
      graph("eliminate_common_values", eliminate_common_values, types,
            "common subexpression elimination: keeps one of values that are equal",
            "After folding, which makes more values equal"),
      graph("eliminate_dead_values", eliminate_dead_values, types,
            "dead code elimination: removes values that no output needs",
            "After all rewrites, which leave their old values behind"),
      with(
          algorithm_options,
          graph("choose_algorithms", choose_algorithms, types,
                "computes 3x3 convolutions with Winograd's method where that is faster",
                "Before grouping and layouts: Winograd's tiles decide which pools fit and how wide "
                "the halos are")),
      graph("widen_integers", widen_integers, types,
            "inputs of integer products in 16 bits, where the CPU multiplies no bytes",
            "Before grouping, so that what computes an input widens it"),
      graph("fuse_kernels", fuse_kernels, types,
            "op fusion: groups ops into kernels, one loop nest each",
            "Grouping wants the final ops; layouts and schedules are decided per kernel"),
      graph("assign_layouts", assign_layouts, types, "chooses how every value lies in memory",
            "Layouts are a matter between kernels, hence after grouping"),
      on_request(graph("rematerialize", rematerialize, types,
                       "with --remat: computes again what would be kept for late readers",
                       "On kernels in their layouts, whose sizes and order are those that the plan "
                       "of memory sees, and which nothing behind it joins again")),
      graph("choose_schedule", choose_schedule, types,
            "decides how the loops of every kernel are tiled, vectorised and shared",
            "Register tiles count vectors of blocked channels: after layouts"),
      graph("pack_weights", pack_weights, types,
            "lays constants out in the order in which kernels read them",
            "The schedule says in which order the inner loop reads the weights"),
      with(weights_options,
           on_request(graph("narrow_weights", narrow_weights, types,
                            "with --weights-type: stores large weights in 16 bits",
                            "On weights as kernels read them, those of Winograd's method, too, and "
                            "after all that computes with constants in f32"))),
      graph("plan_memory", plan_memory, types, "allocates every value in the workspace",
            "Last on the graph: every value and its size is known", verify_memory_plan),
      module("lower_loops", lower_loops, packed, "writes every kernel as loops",
             "All decisions stand in the text; from here on they are only carried out"),
      loops("fuse_loops", fuse_loops,
            "loop fusion: joins the loops of fused ops, their values in registers",
            "Before tiling: one tile then covers the convolution and everything fused to it"),
      loops("tile_loops", tile_loops,
            "splits loops into register tiles, and moves those below the reduction",
            "On the joined nest; the passes below work on the tile's loops"),
      loops("vectorize_loops", vectorize_loops, "turns a tile loop into the lanes of vectors",
            "After tiling, which has put the tile's loops innermost, around one assignment each"),
      loops("unroll_loops", unroll_loops, "writes out a few iterations of the reduction loops",
            "Splits the reduction loops, which the passes above leave whole"),
      loops("parallelize_loops", parallelize_loops,
            "multithreading: makes one parallel loop of the outermost loops",
            "After tiling, which makes the outer loops that tasks consist of"),
      loops("simplify_loops", simplify_loops,
            "drops loops of one iteration, simplifies bounds and subscripts",
            "Clears up after the others: constant bounds, loops of one iteration, subscripts"),
      loops("check_bounds", check_bounds,
            "proves that every access lies inside its buffer; finds results that are not written, "
            "and tasks that write the same",
            "The last look before code is generated"),
  };
  return passes;
}

/// `after` is null for the text as it was read.
bool verify_module(const Module &module, Diagnostics &diagnostics, const Pass *after) {
  bool valid = true;
  for (const Graph &model : module.models)
    valid = verify(model, diagnostics, after ? after->name : "") && valid;
  for (const Graph &model : module.models)
    if (valid && after && after->verify)
      valid = after->verify(model, diagnostics);
  for (const loop::Kernel &kernel : module.kernels)
    valid = loop::verify(kernel, diagnostics) &&
            (after || loop::verify_schedule(kernel, diagnostics)) && valid;
  return valid;
}

#ifdef NDEBUG
constexpr bool trusts_passes = true; // that say they have changed nothing
#else
constexpr bool trusts_passes = false;
#endif

bool run_pass(const Pass &pass, Module &module, PassContext &context) {
  bool ok = true, all_unchanged = pass.graph != nullptr;
  context.unchanged = false;
  if (pass.module)
    return pass.module(module, context);
  if (pass.graph)
    for (Graph &model : module.models) {
      context.unchanged = false;
      ok = pass.graph(model, context) && ok;
      all_unchanged = all_unchanged && context.unchanged;
    }
  context.unchanged = all_unchanged;
  if (pass.kernel)
    for (loop::Kernel &kernel : module.kernels)
      ok = pass.kernel(kernel, context) && ok;
  return ok;
}

} // namespace

std::span<const Pass> all_passes() { return table(); }

std::vector<const Pass *> default_pipeline() {
  std::vector<const Pass *> passes;
  for (const Pass &pass : table())
    if (!pass.on_request)
      passes.push_back(&pass);
  return passes;
}

std::vector<const Pass *> graph_pipeline() {
  std::vector<const Pass *> passes = default_pipeline();
  std::erase_if(passes, [](const Pass *pass) { return !pass->graph; });
  return passes;
}

void add_to_pipeline(std::vector<const Pass *> &passes, std::string_view name) {
  const Pass *added = nullptr;
  size_t place = 0; // behind those that come before it in the table
  for (const Pass &pass : table()) {
    if (pass.name == name)
      added = &pass;
    if (!added && place < passes.size() && passes[place] == &pass)
      ++place;
  }
  passes.insert(passes.begin() + static_cast<std::ptrdiff_t>(place), added);
}

std::vector<const Pass *> type_pipeline() { return {&table().front()}; }

std::vector<const Pass *> meaning_pipeline() {
  std::vector<const Pass *> passes = type_pipeline();
  add_to_pipeline(passes, "lower_quantized");
  return passes;
}

std::vector<const Pass *> loop_pipeline() {
  std::vector<const Pass *> passes = default_pipeline();
  std::erase_if(passes, [](const Pass *pass) { return !pass->kernel; });
  return passes;
}

std::optional<std::vector<const Pass *>> find_passes(std::span<const std::string> names,
                                                     Diagnostics &diagnostics) {
  std::vector<std::string_view> known;
  for (const Pass &pass : table())
    known.push_back(pass.name);
  std::vector<const Pass *> passes;
  bool complete = true;
  for (const std::string &name : names) {
    auto found = std::find(known.begin(), known.end(), name);
    if (found != known.end()) {
      passes.push_back(&table()[static_cast<size_t>(found - known.begin())]);
      continue;
    }
    std::string_view guess = closest(name, known);
    diagnostics.error(fmt::format("there is no pass '{}'{}", name,
                                  guess.empty() ? "; `cnnc --list-passes` lists them"
                                                : fmt::format("; did you mean {}?", guess)));
    complete = false;
  }
  if (!complete)
    return std::nullopt;
  return passes;
}

bool names_pass(std::span<const std::string> names, std::string_view pass) {
  return std::ranges::any_of(
      names, [&](const std::string &name) { return name == "all" || name == pass; });
}

std::optional<std::vector<const Pass *>> read_passes(std::span<const std::string> passes,
                                                     PassContext &context) {
  std::vector<std::string> names;
  for (const std::string &pass : passes)
    names.push_back(pass.substr(0, pass.find(':')));
  std::optional<std::vector<const Pass *>> found = find_passes(names, context.diagnostics);
  bool ok = found.has_value();
  for (size_t i = 0; ok && i < names.size(); ++i)
    if (passes[i] != names[i])
      ok = set_pass_options(*(*found)[i], passes[i].substr(names[i].size() + 1), context);
  return ok ? found : std::nullopt;
}

bool run_passes(std::span<const Pass *const> passes, Module &module, PassContext &context,
                const PassObserver &observe) {
  // What is wrong from the start is a mistake in the text, later it is one of a pass.
  if (!verify_module(module, context.diagnostics, nullptr))
    return false;
  for (const Pass *pass : passes) {
    if (!check_need(pass->needs, pass->name, module, context))
      return false;
    auto start = std::chrono::steady_clock::now();
    size_t errors_before = context.diagnostics.error_count();
    bool ok = run_pass(*pass, module, context);
    if (!ok || context.diagnostics.error_count() != errors_before) {
      if (context.diagnostics.error_count() == errors_before)
        context.diagnostics.error(
            fmt::format("internal error: {} failed without a reason", pass->name));
      return false;
    }
    if (!(context.unchanged && trusts_passes) &&
        !verify_module(module, context.diagnostics, pass)) {
      context.diagnostics.error(fmt::format("internal error: not valid after {}", pass->name));
      return false;
    }
    if (observe)
      observe(*pass, module, std::chrono::steady_clock::now() - start);
  }
  return true;
}

} // namespace cnnc
