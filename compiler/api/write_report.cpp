// The page that shows what the compiler did: one compilation, seen from all sides.
#include "compiler/api/computed_values.h"
#include "compiler/codegen/kernels.h"
#include "compiler/codegen/model_object.h"
#include "compiler/layout/tensor_layout.h"
#include "compiler/report/made_input.h"
#include "compiler/report/report.h"
#include "compiler/support/text_diff.h"
#include "ir/graph/printer.h"
#include "ir/text/files.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace cnnc {

namespace {

using report::Compilation;
using report::KernelText;
using report::KernelTexts;
using report::Measurement;
using report::PassRecord;

/// The pass after which kernels, layouts and schedules are chosen.
constexpr std::string_view last_simplification = "eliminate_dead_values";

/// The parts of a text, by what they are called.
using Parts = std::map<std::string, std::string>;

Parts parts_of(const Module &module) {
  Parts parts;
  for (const Graph &model : module.models)
    parts["model @" + format_name(model.name)] = to_string(model);
  for (const loop::Kernel &kernel : module.kernels)
    parts["kernel @" + format_name(kernel.name)] = loop::to_string(kernel);
  return parts;
}

/// Sees the text after every pass, and keeps what the page shows of it.
class PassWatcher {
public:
  explicit PassWatcher(Compilation &compilation) : compilation_(compilation) {}

  void see(const Pass *pass, const Module &module) {
    Parts parts = parts_of(module);
    if (pass)
      add_pass(*pass, parts);
    if (pass && pass->name == "infer_shapes")
      compilation_.written = module.models.front();
    if (pass && pass->name == last_simplification)
      compilation_.simplified = module.models.front();
    if (pass && pass->graph)
      compilation_.planned = module.models.front();
    if (pass && !pass->graph)
      add_loops(pass->name, module);
    parts_ = std::move(parts);
  }

  /// The loops as they are compiled: tiled again where registers were spilt.
  void see_compiled(const Module &module) { add_loops("fit_registers", module); }

  std::vector<KernelText> take_loops(const std::string &kernel) {
    return std::move(loops_[kernel]);
  }

private:
  /// Part by part: the time of a diff grows with the lines times the changes.
  void add_pass(const Pass &pass, const Parts &parts) {
    PassRecord record{std::string(pass.name), std::string(pass.level()), std::string(pass.summary)};
    for (const auto &[name, text] : parts)
      if (const std::string &before = parts_[name]; text != before) {
        const TextDiff diff = diff_texts(before, text);
        record.diff += (parts.size() > 1 ? name + "\n" : "") + diff.hunks;
        record.added += diff.added;
        record.removed += diff.removed;
      }
    compilation_.passes.push_back(std::move(record));
  }

  void add_loops(std::string_view step, const Module &module) {
    for (const loop::Kernel &kernel : module.kernels) {
      std::vector<KernelText> &texts = loops_[kernel.name];
      std::string text = loop::to_string(kernel);
      if (texts.empty() || texts.back().text != text)
        texts.push_back({std::string(step), std::move(text)});
    }
  }

  Compilation &compilation_;
  Parts parts_; // before the pass that comes
  std::map<std::string, std::vector<KernelText>> loops_;
};

/// What kernels of one code share.
struct Code {
  std::string llvm, assembly;
  uint64_t size = 0;
};

/// LLVM IR and assembly, by symbol. Empty after an error.
std::optional<std::map<std::string, Code>> print_code(Session &session,
                                                      const CompiledProgram &program) {
  std::map<std::string, Code> result;
  const Progress progress = session.progress("kernels printed");
  const std::vector<loop::Kernel> &kernels = program.layout.kernels;
  for (size_t i = 0; i < kernels.size(); ++i) {
    const std::span one(&kernels[i], 1);
    auto llvm = codegen::kernels_to_llvm(one, session.target(), session.diagnostics());
    auto assembly = codegen::kernels_to_assembly(one, session.target(), session.diagnostics());
    if (!llvm || !assembly)
      return std::nullopt;
    result[kernels[i].name] = {std::move(*llvm), std::move(*assembly),
                               codegen::code_size(program.objects[i])};
    if (progress)
      progress(i + 1, kernels.size());
  }
  return result;
}

std::map<std::string, std::string> graph_texts(const Graph &graph) {
  std::map<std::string, std::string> result;
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    result[graph.kernels[id].name] = to_string(graph, id);
  return result;
}

/// Compiles what the passes have left, and collects the kernels at every level.
bool add_kernels(Session &session, PassWatcher &watcher, Compilation &compilation) {
  std::optional<CompiledProgram> program = session.compile();
  if (!program)
    return false;
  watcher.see_compiled(session.module());
  std::optional<std::map<std::string, Code>> code = print_code(session, *program);
  if (!code)
    return false;
  const std::map<std::string, std::string> graphs = graph_texts(compilation.planned);
  for (const codegen::StepDescription &step : program->layout.description.steps) {
    KernelTexts texts;
    if (auto graph = graphs.find(step.name); graph != graphs.end())
      texts.graph = graph->second;
    texts.loops = watcher.take_loops(step.name);
    const Code &printed = code->at(step.symbol);
    texts.llvm = printed.llvm;
    texts.assembly = printed.assembly;
    texts.code_size = printed.size;
    compilation.texts.push_back(std::move(texts));
  }
  compilation.code_size = program->code_size;
  compilation.lowered = session.model();
  compilation.program = std::move(program->layout);
  return true;
}

Result<Compilation> compile(const Model &model, const Options &options) {
  Compilation compilation;
  PassWatcher watcher(compilation);
  std::vector<PassStatistics> statistics;
  Options unseen = quiet(options);
  unseen.remark = {};
  unseen.timing = {};
  unseen.progress = {};
  Options observed = quiet(options);
  observed.statistics = [&](const PassStatistics &pass) { statistics.push_back(pass); };
  Opening opening;
  opening.observe = [&](const Pass *pass, const Module &module) { watcher.see(pass, module); };
  Result<Session> session = Session::open(model, observed, opening);
  if (!session)
    return Error{std::string(session.error())};
  for (size_t i = 0; i < statistics.size(); ++i)
    compilation.passes[i].statistics = std::move(statistics[i]);
  if (!add_kernels(*session, watcher, compilation))
    return session->error();
  compilation.cpu = session->target().cpu;
  compilation.machine = codegen::machine_of(session->target());
  Result<std::vector<KernelExplanation>> kernels = explain(model, unseen);
  if (!kernels)
    return Error{std::string(kernels.error())};
  compilation.kernels = std::move(*kernels);
  return compilation;
}

Result<Measurement> measure(const Model &model, const ReportOptions &how, const Options &options) {
  Measurement measurement;
  measurement.how = how.profile;
  Result<Program> program = jit(model, options);
  if (!program)
    return Error{std::string(program.error())};
  Result<std::vector<std::vector<std::byte>>> inputs = how.inputs(program->table());
  if (!inputs)
    return Error{std::string(inputs.error())};
  measurement.inputs = std::move(*inputs);
  std::vector<const void *> pointers;
  for (const std::vector<std::byte> &input : measurement.inputs)
    pointers.push_back(input.data());
  Result<Profile> profile = cnnc::profile(*program, pointers, how.profile, options);
  if (!profile)
    return Error{std::string(profile.error())};
  measurement.profile = std::move(*profile);
  return measurement;
}

/// One image of each input: of those that were given the first, else one that is made up.
std::vector<Tensor> shown_inputs(const Compilation &compilation) {
  std::vector<Tensor> inputs;
  for (ValueId id : compilation.simplified.inputs) {
    const TensorType type = logical_type(one_image(compilation.simplified.type(id)), 1);
    if (!compilation.measured) {
      inputs.push_back(report::made_input(type));
      continue;
    }
    Tensor input(type);
    const std::vector<std::byte> &given = compilation.measured->inputs[inputs.size()];
    std::ranges::copy(std::span(given).first(input.bytes().size()), input.mutable_bytes().begin());
    inputs.push_back(std::move(input));
  }
  return inputs;
}

/// The numbers that lessons and maps show. Without weights, or memory for all values at once, the page
/// goes without.
void add_values(const Model &model, const Options &options, Compilation &compilation) {
  Diagnostics diagnostics;
  compilation.constants =
      open_constants(model.content(), compilation.simplified, options, diagnostics);
  Result<report::NamedValues> values =
      compilation.constants
          ? computed_values(model, compilation.simplified, shown_inputs(compilation), options)
          : Error{diagnostics.to_string()};
  if (values)
    compilation.values = std::move(*values);
  else if (options.remark)
    options.remark(fmt::format("remark: the report has no lessons and feature maps: {}",
                               values.error().substr(0, values.error().find('\n'))));
}

} // namespace

Result<uint64_t> write_report(const Model &model, const std::filesystem::path &file,
                              const ReportOptions &how, const Options &options) {
  Result<Compilation> compilation = compile(model, options);
  if (!compilation)
    return Error{std::string(compilation.error())};
  if (how.inputs) {
    Result<Measurement> measured = measure(model, how, quiet(options));
    if (!measured)
      return Error{std::string(measured.error())};
    compilation->measured = std::move(*measured);
  }
  add_values(model, options, *compilation);
  Progress progress;
  if (options.progress)
    progress = [&](size_t done, size_t total) {
      options.progress("sections written", done, total);
    };
  const std::string page = report::make_page(*compilation, progress);
  Diagnostics diagnostics;
  if (!write_file_atomically(file, page, diagnostics))
    return Error{diagnostics.to_string()};
  return uint64_t(page.size());
}

} // namespace cnnc
