#include "compiler/codegen/target/target.h"

#include "compiler/codegen/target/family.h"
#include "compiler/codegen/target/llvm_target.h"

#include <algorithm>
#include <fmt/format.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>
#include <mutex>
#include <new>
#include <vector>

namespace cnnc::codegen {

namespace {

constexpr const Family *families[] = {&x86_64};

const llvm::Target *llvm_target(const Family &family) {
  static std::once_flag once;
  std::call_once(once, [] {
    // LLVM would end the process.
    llvm::install_bad_alloc_error_handler(
        [](void *, const char *, bool) { throw std::bad_alloc(); });
    for (const Family *each : families)
      each->initialize();
  });
  std::string error;
  return llvm::TargetRegistry::lookupTarget(llvm::Triple(family.triple), error);
}

std::unique_ptr<llvm::MCSubtargetInfo> subtarget(const Family &family, llvm::StringRef cpu,
                                                 llvm::StringRef features) {
  return std::unique_ptr<llvm::MCSubtargetInfo>(
      llvm_target(family)->createMCSubtargetInfo(llvm::Triple(family.triple), cpu, features));
}

std::string host_features() {
  std::vector<std::string> names;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    names.push_back((feature.second ? "+" : "-") + feature.first().str());
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ","));
}

/// LLVM's names of the CPUs of a family.
std::vector<std::string> cpus_of(const Family &family) {
  auto baseline = subtarget(family, family.baseline_cpu, "");
  std::vector<std::string> names;
  for (const llvm::SubtargetSubTypeKV &processor : baseline->getAllProcessorDescriptions())
    if (subtarget(family, processor.Key, "")->checkFeatures(family.required_feature))
      names.emplace_back(processor.Key);
  return names;
}

/// The family of a CPU, or null after an error.
const Family *find_family(std::string_view cpu, Diagnostics &diagnostics) {
  std::vector<std::string> known;
  for (const Family *family : families) {
    std::vector<std::string> cpus = cpus_of(*family);
    if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end())
      return family;
    known.insert(known.end(), cpus.begin(), cpus.end());
  }
  std::string_view near = closest(cpu, {known.begin(), known.end()});
  if (!near.empty())
    diagnostics.error(fmt::format("unknown CPU '{}'; did you mean '{}'?", cpu, near));
  else
    diagnostics.error(
        fmt::format("unknown CPU '{}'; known CPUs: native, {}", cpu, fmt::join(known, ", ")));
  return nullptr;
}

bool is_checked(const Family &family, std::string_view name) {
  return std::any_of(family.features.begin(), family.features.end(),
                     [&](const Feature &feature) { return name == feature.name; });
}

/// One item of --features= in LLVM's syntax, or empty after an error.
std::string parse_feature(std::string_view item, const Family &family, Diagnostics &diagnostics) {
  bool disable = item.starts_with('-');
  std::string_view name = item.substr(disable || item.starts_with('+') ? 1 : 0);
  auto baseline = subtarget(family, family.baseline_cpu, "");
  std::vector<std::string_view> known;
  for (const llvm::SubtargetFeatureKV &feature : baseline->getAllProcessorFeatures())
    known.push_back(feature.Key);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    std::string_view near = closest(name, known);
    diagnostics.error(
        near.empty() ? fmt::format("unknown CPU feature '{}'", name)
                     : fmt::format("unknown CPU feature '{}'; did you mean '{}'?", name, near));
    return "";
  }
  if (!disable && !is_checked(family, name))
    diagnostics.warning(
        {}, fmt::format("CPU feature '{}' has no effect: compiled models do not use it", name));
  return fmt::format("{}{}", disable ? '-' : '+', name);
}

std::optional<std::string> parse_features(std::string_view features, const Family &family,
                                          Diagnostics &diagnostics) {
  std::vector<std::string> items;
  size_t errors = diagnostics.error_count();
  while (!features.empty()) {
    size_t comma = std::min(features.find(','), features.size());
    std::string_view item = features.substr(0, comma);
    features.remove_prefix(std::min(comma + 1, features.size()));
    if (!item.empty())
      items.push_back(parse_feature(item, family, diagnostics));
  }
  if (diagnostics.error_count() != errors)
    return std::nullopt;
  return fmt::format("{}", fmt::join(items, ","));
}

} // namespace

const Family &host_family() {
  // There is one: where the runtime knows no family, this compiler cannot be built.
  const llvm::Triple host(llvm::sys::getProcessTriple());
  return **std::find_if(std::begin(families), std::end(families), [&](const Family *family) {
    return llvm::Triple(family->triple).getArch() == host.getArch();
  });
}

std::string Target::feature_summary() const {
  std::string summary = features;
  std::erase(summary, '+');
  return summary;
}

std::optional<Target> resolve_target(std::string_view cpu, std::string_view features,
                                     Diagnostics &diagnostics) {
  const bool native = cpu.empty() || cpu == "native";
  const Family *family = native ? &host_family() : find_family(cpu, diagnostics);
  if (!family)
    return std::nullopt;
  std::optional<std::string> requested = parse_features(features, *family, diagnostics);
  if (!requested)
    return std::nullopt;
  Target target;
  target.family = family;
  target.cpu = native ? llvm::sys::getHostCPUName().str() : std::string(cpu);
  std::string all = native ? host_features() : "";
  if (!requested->empty())
    all += (all.empty() ? "" : ",") + *requested;
  auto resolved = subtarget(*family, target.cpu, all);
  for (const Feature &feature : family->features) {
    std::string enabled = fmt::format("+{}", feature.name);
    if (!resolved->checkFeatures(enabled))
      continue;
    target.features += (target.features.empty() ? "" : ",") + enabled;
    target.required_cpu |= feature.bit;
  }
  return target;
}

Machine machine_of(const Target &target) {
  return target.family->machine(target.required_cpu, target.cpu);
}

bool runs_on_host(const Target &target) {
  if (target.family != &host_family())
    return false;
  return target.features.empty() ||
         subtarget(*target.family, llvm::sys::getHostCPUName(), host_features())
             ->checkFeatures(target.features);
}

std::unique_ptr<llvm::TargetMachine> create_target_machine(const Target &target) {
  llvm::TargetOptions options;
  options.MCOptions.AsmVerbose = true;
  const Family &family = *target.family;
  return std::unique_ptr<llvm::TargetMachine>(llvm_target(family)->createTargetMachine(
      llvm::Triple(family.triple), family.baseline_cpu, target.features, options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
}

void set_module_target(llvm::Module &module, const Target &target) {
  module.setTargetTriple(llvm::Triple(target.family->triple));
  module.setDataLayout(create_target_machine(target)->createDataLayout());
}

void set_function_targets(llvm::Module &module, const Target &target) {
  constexpr int64_t lane_bits = 32;
  const Machine machine = machine_of(target);
  const std::string width = std::to_string(machine.vector_lanes * lane_bits);
  const std::string tuning = target.family->tuning(machine, target.cpu);
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.family->baseline_cpu);
    function.addFnAttr("tune-cpu", tuning);
    if (!target.features.empty())
      function.addFnAttr("target-features", target.features);
    function.addFnAttr("prefer-vector-width", width);
  }
}

std::shared_mutex &llvm_options_mutex() {
  static std::shared_mutex mutex;
  return mutex;
}

} // namespace cnnc::codegen
