#include "compiler/api/session.h"

#include "compiler/analysis/statistics.h"
#include "compiler/codegen/model_table.h"
#include "compiler/constants/memory.h"
#include "compiler/support/machine_memory.h"
#include "compiler/training/set_batch.h"
#include "ir/graph/printer.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace cnnc {

Options quiet(Options options) {
  options.passes.reset();
  options.overrides.clear();
  options.stop_after.clear();
  options.print_before.clear();
  options.print_after.clear();
  options.print_kernel.clear();
  options.statistics = {};
  return options;
}

Session::Session(const Model &model, const Options &options)
    : options_(options), model_(model), module_(model.content().module) {}

Result<Session> Session::open(const Model &model, const Options &options, const Opening &opening) {
  Session session(model, options);
  session.decisions_ = opening.decisions;
  if (!session.resolve_target() || !session.select_model(opening.needs_model) ||
      !session.rename_model() || !session.fix_batch() || !session.read_overrides())
    return session.error();
  session.take_weights_for_random();
  if (!session.run(opening))
    return session.error();
  return session;
}

bool Session::resolve_target() {
  if (options_.cpu.find(',') != std::string::npos) {
    diagnostics_.error("one CPU at a time: only libraries, objects and archives are for several");
    return false;
  }
  std::optional<codegen::Target> target =
      codegen::resolve_target(options_.cpu, options_.features, diagnostics_);
  if (target)
    target_ = std::move(*target);
  return target.has_value();
}

namespace {

std::string names_of(const std::vector<Graph> &models) {
  std::string result;
  for (const Graph &model : models)
    result += (result.empty() ? "@" : ", @") + format_name(model.name);
  return result;
}

} // namespace

/// Leaves the model that the options choose, and the kernels that it calls.
bool Session::select_model(bool needed) {
  std::vector<Graph> &models = module_.models;
  if (!needed && options_.model.empty())
    return true;
  if (models.empty()) {
    diagnostics_.error("this text holds kernels of loops but no model that calls them; it can be "
                       "emitted as loops, llvm or assembly");
    return false;
  }
  if (options_.model.empty() && models.size() > 1) {
    diagnostics_.error(
        fmt::format("this text holds several models, choose one of {}", names_of(models)));
    return false;
  }
  if (!options_.model.empty()) {
    auto chosen = std::find_if(models.begin(), models.end(),
                               [&](const Graph &model) { return model.name == options_.model; });
    if (chosen == models.end()) {
      diagnostics_.error(fmt::format("there is no model @{} in this text, only {}",
                                     format_name(options_.model), names_of(models)));
      return false;
    }
    Graph model = std::move(*chosen);
    models.clear();
    models.push_back(std::move(model));
  }
  erase_unused_kernels(module_); // they would only cost time
  return true;
}

bool Session::rename_model() {
  const std::string &name = options_.name;
  if (name.empty())
    return true;
  if (codegen::c_identifier(name) != name) {
    diagnostics_.error(fmt::format("the name '{}' is no identifier of C: letters, digits and _, "
                                   "beginning with a letter",
                                   name));
    return false;
  }
  if (module_.models.size() != 1) {
    diagnostics_.error(fmt::format("the name {} is for one model, but this text holds {}", name,
                                   module_.models.size()));
    return false;
  }
  model().name = name;
  return true;
}

bool Session::fix_batch() {
  if (options_.batch == 0)
    return true;
  for (Graph &graph : module_.models)
    if (!set_batch(graph, options_.batch, diagnostics_))
      return false;
  return true;
}

bool Session::read_overrides() {
  std::optional<std::vector<Override>> parsed = parse_overrides(options_.overrides, diagnostics_);
  if (!parsed)
    return false;
  overrides_ = std::move(*parsed);
  if (overrides_.empty() || module_.models.size() == 1)
    return true;
  diagnostics_.error(overrides_.front().range(),
                     fmt::format("this is for one model, but the text holds {}; --model chooses "
                                 "one",
                                 module_.models.size()));
  return false;
}

/// `random` stands in for weights, which a training step learns under the names of their values: files
/// that the options name have the last word.
void Session::take_weights_for_random() {
  std::set<std::string, std::less<>> names;
  Diagnostics ignored; // who needs the weights opens the files again
  for (const std::filesystem::path &path : options_.weights)
    if (const std::optional<SafetensorsFile> file = SafetensorsFile::open(path, ignored))
      for (const SafetensorsTensor &tensor : file->tensors())
        names.insert(std::string(tensor.name));
  for (Graph &graph : module_.models)
    for (Node &node : graph.nodes)
      if (const std::string &name = graph.value(node.results[0]).name;
          std::holds_alternative<Random>(node.op) && names.contains(name))
        node.op = Weight{name};
}

/// Loops follow from shapes: nothing is known before infer_shapes.
void Session::remember_unscheduled() {
  if (model().kernels.empty() || !std::ranges::all_of(model().values, [](const Value &value) {
        return value.type.has_value();
      }))
    return;
  const std::vector<std::vector<NodeId>> members = kernel_members(model());
  for (KernelId id = 0; id < model().kernels.size(); ++id) {
    const KernelGroup &kernel = model().kernels[id];
    if (kernel.schedule.empty() && !unscheduled_.contains(kernel.name))
      unscheduled_.emplace(kernel.name, loops_of(model(), members[id]));
  }
}

namespace {

/// A tile that the user sets is kept, whatever the policy has chosen beside it.
bool is_written(const LoopFactor &tile) { return tile.range.known(); }

} // namespace

/// Called after every pass. Between graphs and loops, kernels are as the definition of their ops
/// says, with a schedule that is still to be carried out.
void Session::remember_untiled(const Pass &pass) {
  if (module_.models.size() != 1)
    return; // models may have kernels of one name
  if (pass.graph)
    remember_unscheduled();
  if (pass.module)
    for (const loop::Kernel &kernel : module_.kernels)
      if (auto known = unscheduled_.find(kernel.name);
          known != unscheduled_.end() && !kernel.schedule.tile.empty() &&
          !std::ranges::any_of(kernel.schedule.tile, is_written))
        untiled_.emplace(kernel.name, UntiledKernel{kernel, known->second});
}

/// Labels are indices, which the caller has to keep in range. The loss that reads them knows how many
/// classes there are, as long as it is one op.
void Session::remember_labels() {
  if (label_count_ != 0 || module_.models.size() != 1)
    return;
  for (const Node &node : model().nodes) {
    if (!std::holds_alternative<CrossEntropy>(node.op))
      continue;
    const Value &scores = model().value(node.operands[0]);
    const ValueId labels = node.operands[1];
    if (scores.type && model().is_input(labels) && model().value(labels).name == "labels")
      label_count_ = static_cast<uint32_t>(scores.type->shape.back());
  }
}

bool Session::wants_print(std::string_view pass) const {
  return options_.after_pass && names_pass(options_.print_after, pass);
}

std::string Session::text() const {
  if (options_.print_kernel.empty())
    return to_string(module_);
  std::string result;
  for (const Graph &model : module_.models)
    for (KernelId id = 0; id < model.kernels.size(); ++id)
      if (model.kernels[id].name == options_.print_kernel)
        result += to_string(model, id);
  for (const loop::Kernel &kernel : module_.kernels)
    if (kernel.name == options_.print_kernel)
      result += loop::to_string(kernel);
  return result;
}

/// A pass that does not run has nothing to show, which is no answer.
bool Session::check_printed(const std::vector<const Pass *> &passes) {
  std::vector<std::string> names = options_.print_after;
  names.insert(names.end(), options_.print_before.begin(), options_.print_before.end());
  std::erase_if(names, [](const std::string &name) { return name == "all" || name == llvm_step; });
  const auto printed = find_passes(names, diagnostics_);
  if (!printed)
    return false;
  const auto missing = std::ranges::find_if(
      *printed, [&](const Pass *pass) { return std::ranges::find(passes, pass) == passes.end(); });
  if (missing == printed->end())
    return true;
  diagnostics_.error(fmt::format("nothing to print of {}, which does not run here; `--time` shows "
                                 "the passes that do",
                                 (*missing)->name));
  return false;
}

/// Leaves the passes up to the one that the options name.
bool Session::stop_early(std::vector<const Pass *> &passes) {
  if (options_.stop_after.empty())
    return true;
  const auto last = find_passes(std::span(&options_.stop_after, 1), diagnostics_);
  if (!last)
    return false;
  const auto found = std::ranges::find(passes, last->front());
  if (found == passes.end()) {
    diagnostics_.error(fmt::format("cannot stop after {}, which does not run here; `--time` shows "
                                   "the passes that do",
                                   options_.stop_after));
    return false;
  }
  passes.erase(found + 1, passes.end());
  return true;
}

/// Whether the passes run that obey what is set.
bool Session::check_overrides(const std::vector<const Pass *> &passes) {
  bool ok = true;
  for (const Override &override : overrides_) {
    const std::string_view needed = override.attribute ? "choose_algorithms" : "choose_schedule";
    if (std::ranges::any_of(passes, [&](const Pass *pass) { return pass->name == needed; }))
      continue;
    diagnostics_.error(override.range(),
                       fmt::format("this is for {}, which does not run here", needed));
    ok = false;
  }
  return ok;
}

/// Whether there is the kernel that the options name, after all passes.
bool Session::check_kernel() {
  const std::string &wanted = options_.print_kernel;
  if (wanted.empty() || !text().empty())
    return true;
  std::vector<std::string_view> names;
  for (const Graph &model : module_.models)
    for (const KernelGroup &kernel : model.kernels)
      names.emplace_back(kernel.name);
  for (const loop::Kernel &kernel : module_.kernels)
    names.emplace_back(kernel.name);
  const std::string_view guess = closest(wanted, names);
  if (names.empty())
    diagnostics_.error(fmt::format("there is no kernel @{}: fuse_kernels, which makes the kernels, "
                                   "has not run",
                                   format_name(wanted)));
  else if (guess.empty())
    diagnostics_.error(fmt::format("there is no kernel @{}; `--emit=graph` shows all {}",
                                   format_name(wanted), names.size()));
  else
    diagnostics_.error(fmt::format("there is no kernel @{}; did you mean @{}?", format_name(wanted),
                                   format_name(std::string(guess))));
  return false;
}

namespace {

LossKind kind_of(Loss loss) {
  switch (loss) {
  case Loss::automatic:
    return LossKind::automatic;
  case Loss::cross_entropy:
    return LossKind::cross_entropy;
  case Loss::mean_squared_error:
    return LossKind::mean_squared_error;
  case Loss::binary_cross_entropy:
    return LossKind::binary_cross_entropy;
  }
  return LossKind::automatic;
}

GradientRequest request_of(const Options &options) {
  const GradientOptions gradients = options.gradients.value_or(GradientOptions());
  const TrainingOptions training = options.training.value_or(TrainingOptions());
  return {gradients.of,
          kind_of(gradients.loss),
          gradients.label_smoothing,
          {training.optimizer == Optimizer::sgd ? OptimizerKind::sgd : OptimizerKind::adamw,
           training.momentum, training.beta1, training.beta2, training.epsilon,
           training.weight_decay, training.freeze}};
}

DType dtype_of(WeightsType type) {
  switch (type) {
  case WeightsType::f32:
    return DType::f32;
  case WeightsType::bf16:
    return DType::bf16;
  case WeightsType::f16:
    return DType::f16;
  }
  return DType::f32;
}

bool have(const std::vector<const Pass *> &passes, std::string_view name) {
  return std::ranges::any_of(passes, [&](const Pass *pass) { return pass->name == name; });
}

} // namespace

PassContext Session::context() {
  PassContext context = {diagnostics_,       codegen::machine_of(target_),
                         options_.remark,    options_.strict_arithmetic,
                         options_.max_error, request_of(options_)};
  context.weights_type = dtype_of(options_.weights_type);
  context.overrides = overrides_;
  context.decisions = decisions_;
  return context;
}

namespace {

/// The numbers that two texts do not share.
std::vector<PassStatistics::Change> changes_between(const std::map<std::string, int64_t> &before,
                                                    const std::map<std::string, int64_t> &after) {
  std::map<std::string, PassStatistics::Change> changes;
  for (const auto &[what, count] : before)
    changes[what] = {what, count, 0};
  for (const auto &[what, count] : after) {
    changes[what].what = what;
    changes[what].after = count;
  }
  std::vector<PassStatistics::Change> result;
  for (auto &[what, change] : changes)
    if (change.before != change.after)
      result.push_back(std::move(change));
  return result;
}

} // namespace

bool Session::run(const Opening &opening) {
  std::vector<const Pass *> passes = opening.passes;
  std::optional<std::vector<const Pass *>> chosen;
  const bool narrow = options_.weights_type != WeightsType::f32;
  if (narrow && (options_.gradients || options_.training)) {
    diagnostics_.error("weights of 16 bits are for inference: gradients are of weights of f32");
    return false;
  }
  if (options_.gradients || options_.training)
    add_to_pipeline(passes, options_.training ? "make_training_step" : "differentiate");
  // Both are for those who go as far as to their place.
  if (options_.rematerialize && have(passes, "plan_memory"))
    add_to_pipeline(passes, "rematerialize");
  if (narrow && have(passes, "pack_weights"))
    add_to_pipeline(passes, "narrow_weights");
  PassContext context = this->context();
  if (options_.passes) {
    chosen = read_passes(*options_.passes, context);
    passes = chosen.value_or(passes);
  }
  if ((options_.passes && !chosen) || !stop_early(passes) || !check_printed(passes) ||
      !check_overrides(passes))
    return false;
  if (!opening.remarks)
    context.remark = {};
  if (opening.observe)
    opening.observe(nullptr, module_);
  const Progress report = progress("passes run");
  size_t done = 0;
  auto print_before_next = [&] {
    if (done < passes.size() && options_.before_pass &&
        names_pass(options_.print_before, passes[done]->name))
      options_.before_pass(passes[done]->name, text());
  };
  print_before_next();
  std::map<std::string, int64_t> counts;
  if (options_.statistics)
    counts = count_text(module_);
  auto report_statistics = [&](const Pass &pass, const Module &module,
                               std::chrono::nanoseconds elapsed) {
    std::map<std::string, int64_t> now = count_text(module);
    options_.statistics(
        {std::string(pass.name), options_.cpu, elapsed, changes_between(counts, now)});
    counts = std::move(now);
  };
  auto observe = [&](const Pass &pass, const Module &module, std::chrono::nanoseconds elapsed) {
    remember_untiled(pass);
    remember_labels();
    if (++done; report)
      report(done, passes.size());
    if (options_.timing)
      options_.timing(pass.name, elapsed);
    if (options_.statistics)
      report_statistics(pass, module, elapsed);
    if (wants_print(pass.name))
      options_.after_pass(pass.name, text());
    print_before_next();
    if (opening.observe)
      opening.observe(&pass, module);
  };
  if (!run_passes(passes, module_, context, observe) || !check_kernel())
    return false;
  return opening.types_before.empty() ||
         (check_need(&needs_types, opening.types_before, module_, context) && check_memory());
}

bool Session::check_memory() {
  bool ok = true;
  for (const Graph &graph : module_.models)
    ok = check_constant_memory(graph, max_memory(), diagnostics_) && ok;
  return ok;
}

Progress Session::progress(std::string_view what) const {
  if (!options_.progress)
    return {};
  return
      [report = options_.progress, what](size_t done, size_t total) { report(what, done, total); };
}

uint64_t Session::max_memory() const { return usable_memory(options_.max_memory); }

std::optional<CompiledProgram> Session::compile() {
  std::optional<CompiledProgram> program = timed("generate code", [&] {
    return compile_program(module_, target_, {untiled_, loop_pipeline(), context()},
                           jobs("kernels compiled"));
  });
  if (program)
    program->layout.description.label_count = label_count_;
  return program;
}

std::optional<ProgramLayout> Session::lay_out() {
  std::optional<ProgramLayout> layout = lay_out_program(module_, target_, diagnostics_);
  if (layout)
    layout->description.label_count = label_count_;
  return layout;
}

std::optional<Constants> Session::open_constants() {
  return cnnc::open_constants(model_.content(), model(), options_, diagnostics_);
}

void report_warnings(const Diagnostics &diagnostics, const Options &options) {
  std::string text = diagnostics.to_string();
  while (text.ends_with('\n'))
    text.pop_back();
  if (!text.empty() && options.remark)
    options.remark(text);
}

} // namespace cnnc
