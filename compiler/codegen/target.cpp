#include "compiler/codegen/target.h"

#include "compiler/codegen/target_internal.h"
#include "runtime/program.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>
#include <mutex>
#include <vector>

namespace cnnc::codegen {

namespace {

constexpr const char *linux_triple = "x86_64-unknown-linux-gnu";

struct CheckedFeature {
  const char *name;
  uint32_t bit;
};

/// All extensions that generated code uses. Each is checked before a model runs, so that a model on
/// the wrong CPU is an error code and not an illegal instruction.
constexpr auto checked_features = std::to_array<CheckedFeature>({
    {"sse4.2", CNNC_CPU_SSE42},
    {"popcnt", CNNC_CPU_POPCNT},
    {"avx", CNNC_CPU_AVX},
    {"f16c", CNNC_CPU_F16C},
    {"lzcnt", CNNC_CPU_LZCNT},
    {"movbe", CNNC_CPU_MOVBE},
    {"bmi", CNNC_CPU_BMI},
    {"bmi2", CNNC_CPU_BMI2},
    {"fma", CNNC_CPU_FMA},
    {"avx2", CNNC_CPU_AVX2},
    {"avxvnni", CNNC_CPU_AVXVNNI},
    {"gfni", CNNC_CPU_GFNI},
    {"avx512f", CNNC_CPU_AVX512F},
    {"avx512cd", CNNC_CPU_AVX512CD},
    {"avx512bw", CNNC_CPU_AVX512BW},
    {"avx512dq", CNNC_CPU_AVX512DQ},
    {"avx512vl", CNNC_CPU_AVX512VL},
    {"avx512ifma", CNNC_CPU_AVX512IFMA},
    {"avx512vbmi", CNNC_CPU_AVX512VBMI},
    {"avx512vbmi2", CNNC_CPU_AVX512VBMI2},
    {"avx512vnni", CNNC_CPU_AVX512VNNI},
    {"avx512bitalg", CNNC_CPU_AVX512BITALG},
    {"avx512vpopcntdq", CNNC_CPU_AVX512VPOPCNTDQ},
    {"avx512bf16", CNNC_CPU_AVX512BF16},
    {"avx512fp16", CNNC_CPU_AVX512FP16},
});

const llvm::Target *x86_target() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
  std::string error;
  return llvm::TargetRegistry::lookupTarget(llvm::Triple(linux_triple), error);
}

std::unique_ptr<llvm::MCSubtargetInfo> subtarget(llvm::StringRef cpu, llvm::StringRef features) {
  return std::unique_ptr<llvm::MCSubtargetInfo>(
      x86_target()->createMCSubtargetInfo(llvm::Triple(linux_triple), cpu, features));
}

std::string host_features() {
  std::vector<std::string> names;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    names.push_back((feature.second ? "+" : "-") + feature.first().str());
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ","));
}

bool check_cpu(std::string_view cpu, Diagnostics &diagnostics) {
  auto baseline = subtarget("x86-64", "");
  std::vector<std::string_view> known;
  for (const llvm::SubtargetSubTypeKV &processor : baseline->getAllProcessorDescriptions())
    if (subtarget(processor.Key, "")->checkFeatures("+64bit"))
      known.push_back(processor.Key);
  if (std::find(known.begin(), known.end(), cpu) != known.end())
    return true;
  std::string_view near = closest(cpu, known);
  if (!near.empty())
    diagnostics.error(fmt::format("unknown CPU '{}'; did you mean '{}'?", cpu, near));
  else
    diagnostics.error(
        fmt::format("unknown CPU '{}'; known CPUs: native, {}", cpu, fmt::join(known, ", ")));
  return false;
}

bool is_checked(std::string_view feature) {
  return std::any_of(checked_features.begin(), checked_features.end(),
                     [&](const CheckedFeature &checked) { return feature == checked.name; });
}

/// One item of --features= in LLVM's syntax, or empty after an error.
std::string parse_feature(std::string_view item, Diagnostics &diagnostics) {
  bool disable = item.starts_with('-');
  std::string_view name = item.substr(disable || item.starts_with('+') ? 1 : 0);
  auto baseline = subtarget("x86-64", "");
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
  if (!disable && !is_checked(name))
    diagnostics.warning(
        {}, fmt::format("CPU feature '{}' has no effect: compiled models do not use it", name));
  return fmt::format("{}{}", disable ? '-' : '+', name);
}

std::optional<std::string> parse_features(std::string_view features, Diagnostics &diagnostics) {
  std::vector<std::string> items;
  size_t errors = diagnostics.error_count();
  while (!features.empty()) {
    size_t comma = std::min(features.find(','), features.size());
    std::string_view item = features.substr(0, comma);
    features.remove_prefix(std::min(comma + 1, features.size()));
    if (!item.empty())
      items.push_back(parse_feature(item, diagnostics));
  }
  if (diagnostics.error_count() != errors)
    return std::nullopt;
  return fmt::format("{}", fmt::join(items, ","));
}

} // namespace

std::string Target::feature_summary() const {
  std::string summary = features;
  std::erase(summary, '+');
  return summary;
}

std::optional<Target> resolve_target(std::string_view cpu, std::string_view features,
                                     Diagnostics &diagnostics) {
  bool native = cpu.empty() || cpu == "native";
  if (!native && !check_cpu(cpu, diagnostics))
    return std::nullopt;
  std::optional<std::string> requested = parse_features(features, diagnostics);
  if (!requested)
    return std::nullopt;
  Target target;
  target.cpu = native ? llvm::sys::getHostCPUName().str() : std::string(cpu);
  target.triple = linux_triple;
  std::string all = native ? host_features() : "";
  if (!requested->empty())
    all += (all.empty() ? "" : ",") + *requested;
  auto resolved = subtarget(target.cpu, all);
  for (const CheckedFeature &feature : checked_features) {
    std::string enabled = fmt::format("+{}", feature.name);
    if (!resolved->checkFeatures(enabled))
      continue;
    target.features += (target.features.empty() ? "" : ",") + enabled;
    target.required_cpu |= feature.bit;
  }
  return target;
}

Machine machine_of(const Target &target) {
  auto has = [&](uint32_t bits) { return (target.required_cpu & bits) == bits; };
  Machine machine;
  machine.fused_multiply_add = has(CNNC_CPU_FMA);
  machine.wide_tiles = has(CNNC_CPU_AVX512F | CNNC_CPU_AVX512VL);
  machine.vector_lanes = machine.wide_tiles ? 16 : has(CNNC_CPU_AVX2) ? 8 : 4;
  machine.vector_registers = machine.wide_tiles ? 32 : 16;
  machine.tile_registers = machine.wide_tiles ? 28 : machine.fused_multiply_add ? 15 : 14;
  // Measured, one core: Zen 4 25 to 30 GB/s at 117 GFLOP/s, server Xeons 10 to 15 at 135.
  machine.bytes_per_operation = target.cpu.starts_with("znver") ? 0.23 : 0.1;
  return machine;
}

bool runs_on_host(const Target &target) {
  return target.features.empty() ||
         subtarget(llvm::sys::getHostCPUName(), host_features())->checkFeatures(target.features);
}

std::unique_ptr<llvm::TargetMachine> create_target_machine(const Target &target) {
  llvm::TargetOptions options;
  options.MCOptions.AsmVerbose = true;
  return std::unique_ptr<llvm::TargetMachine>(x86_target()->createTargetMachine(
      llvm::Triple(target.triple), "x86-64", target.features, options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
}

void set_module_target(llvm::Module &module, const Target &target) {
  module.setTargetTriple(llvm::Triple(target.triple));
  module.setDataLayout(create_target_machine(target)->createDataLayout());
}

void set_function_targets(llvm::Module &module, const Target &target) {
  const Machine machine = machine_of(target);
  const std::string width = std::to_string(machine.vector_lanes * 32);
  // With LLVM's model of Zen 4 loads are placed well before their use. With those of Intel's CPUs
  // they come right before it, which is 1 to 6 % slower in the loops of convolutions, on Intel's,
  // too.
  const std::string tuning = machine.wide_tiles ? "znver4" : target.cpu;
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", "x86-64");
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
