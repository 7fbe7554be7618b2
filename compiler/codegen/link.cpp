#include "compiler/codegen/link.h"

#include "compiler/codegen/target/family.h"
#include "compiler/codegen/target/llvm_target.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <lld/Common/Driver.h>
#include <llvm/InterfaceStub/ELFObjHandler.h>
#include <llvm/InterfaceStub/IFSStub.h>
#include <llvm/ObjCopy/CommonConfig.h>
#include <llvm/ObjCopy/ELF/ELFConfig.h>
#include <llvm/ObjCopy/ELF/ELFObjcopy.h>
#include <llvm/Object/ArchiveWriter.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/CrashRecoveryContext.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>
#include <mutex>
#include <system_error>

LLD_HAS_DRIVER(elf)

namespace cnnc::codegen {

namespace {

namespace fs = std::filesystem;

std::string text_of(llvm::Error error) { return llvm::toString(std::move(error)); }

bool write_file(const fs::path &path, const char *data, size_t size, Diagnostics &diagnostics) {
  std::ofstream file(path, std::ios::binary);
  file.write(data, static_cast<std::streamsize>(size));
  file.close();
  if (!file)
    diagnostics.error(fmt::format("cannot write '{}'", path.string()));
  return !file.fail();
}

/// LLD reports its errors on a stream, one paragraph each.
void report_linker_errors(std::string_view text, Diagnostics &diagnostics) {
  constexpr std::string_view prefix = "ld.lld: error: ";
  size_t begin = text.find(prefix);
  if (begin == std::string_view::npos)
    diagnostics.error(fmt::format("internal error: linking failed: {}", text));
  while (begin != std::string_view::npos) {
    begin += prefix.size();
    size_t end = text.find(prefix, begin);
    std::string_view message = text.substr(begin, end == text.npos ? end : end - begin);
    while (message.ends_with('\n'))
      message.remove_suffix(1);
    diagnostics.error(fmt::format("internal error: linking failed: {}", message));
    begin = end;
  }
}

/// Runs LLD with the lock that keeps code generation away from the options that LLD resets.
bool run_linker(const std::vector<std::string> &arguments, Diagnostics &diagnostics) {
  static bool usable = true; // guarded by the lock
  std::unique_lock lock(llvm_options_mutex());
  if (!usable) {
    diagnostics.error("internal error: the linker crashed before in this process");
    return false;
  }
  std::vector<const char *> argv = {"ld.lld", "--color-diagnostics=never"};
  for (const std::string &argument : arguments)
    argv.push_back(argument.c_str());
  std::string text;
  llvm::raw_string_ostream stream(text);
  // Without it a fatal error of LLD would end the process.
  llvm::CrashRecoveryContext::Enable();
  lld::Result result = lld::lldMain(argv, stream, stream, {{lld::Gnu, &lld::elf::link}});
  llvm::CrashRecoveryContext::Disable();
  usable = result.canRunAgain;
  if (result.retCode != 0)
    report_linker_errors(text, diagnostics);
  return result.retCode == 0;
}

llvm::MemoryBufferRef embedded_runtime(const Target &target) {
  auto begin = reinterpret_cast<const char *>(target.family->runtime_begin);
  auto end = reinterpret_cast<const char *>(target.family->runtime_end);
  return {llvm::StringRef(begin, static_cast<size_t>(end - begin)), "runtime"};
}

/// Names of the symbols that an object needs from elsewhere, sorted.
llvm::Expected<std::vector<std::string>> undefined_symbols(llvm::MemoryBufferRef object) {
  auto file = llvm::object::ObjectFile::createELFObjectFile(object);
  if (!file)
    return file.takeError();
  std::vector<std::string> names;
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    auto flags = symbol.getFlags();
    if (!flags)
      return flags.takeError();
    auto name = symbol.getName();
    if (!name)
      return name.takeError();
    if ((*flags & llvm::object::SymbolRef::SF_Undefined) && !name->empty())
      names.push_back(name->str());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// What a model may take from libc: what the runtime uses, and what LLVM calls for large copies.
std::vector<std::string> libc_symbols(const Target &target) {
  std::vector<std::string> names = llvm::cantFail(undefined_symbols(embedded_runtime(target)));
  std::erase(names, "_GLOBAL_OFFSET_TABLE_");
  names.insert(names.end(), {"memcpy", "memmove", "memset"});
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

/// A libc.so.6 that has names but no code, so that no libc is needed to link.
bool write_libc_stub(const fs::path &path, const Target &target, Diagnostics &diagnostics) {
  llvm::ifs::IFSStub stub;
  stub.SoName = "libc.so.6";
  stub.Target.Arch = target.family->elf_machine;
  stub.Target.BitWidth = llvm::ifs::IFSBitWidthType::IFS64;
  stub.Target.Endianness = llvm::ifs::IFSEndiannessType::Little;
  for (const std::string &name : libc_symbols(target)) {
    llvm::ifs::IFSSymbol symbol(name);
    symbol.Type = llvm::ifs::IFSSymbolType::Func;
    stub.Symbols.push_back(symbol);
  }
  llvm::Error error = llvm::ifs::writeBinaryStub(path.string(), stub);
  bool failed = static_cast<bool>(error);
  if (failed)
    diagnostics.error(
        fmt::format("cannot write '{}': {}", path.string(), text_of(std::move(error))));
  return !failed;
}

/// Writes the objects that are in memory into the scratch folder and appends the paths of all
/// inputs.
bool add_inputs(const LinkInputs &inputs, const TemporaryFolder &scratch,
                std::vector<std::string> &arguments, Diagnostics &diagnostics) {
  for (size_t i = 0; i < inputs.objects.size(); ++i) {
    const ObjectCode &object = inputs.objects[i];
    fs::path path = scratch.file(fmt::format("{}.o", i));
    if (!write_file(path, object.data(), object.size(), diagnostics))
      return false;
    arguments.push_back(path.string());
  }
  llvm::StringRef runtime = embedded_runtime(inputs.target).getBuffer();
  fs::path path = scratch.file("runtime.o");
  if (!write_file(path, runtime.data(), runtime.size(), diagnostics))
    return false;
  arguments.push_back(path.string());
  for (const fs::path &file : inputs.files)
    arguments.push_back(fs::absolute(file).string());
  return true;
}

/// `-r` resolves nothing, so look for kernels that call what is not there.
bool check_complete(llvm::MemoryBufferRef object, const Target &target, Diagnostics &diagnostics) {
  auto undefined = undefined_symbols(object);
  if (!undefined) {
    diagnostics.error("internal error: " + text_of(undefined.takeError()));
    return false;
  }
  std::vector<std::string> known = libc_symbols(target);
  bool complete = true;
  for (const std::string &name : *undefined) {
    if (name == "_GLOBAL_OFFSET_TABLE_" || std::binary_search(known.begin(), known.end(), name))
      continue;
    diagnostics.error("internal error: linking failed: undefined symbol: " + name);
    complete = false;
  }
  return complete;
}

/// Copies an object and makes all its symbols but the exported one local.
bool localize(const fs::path &object, const LinkInputs &inputs, const fs::path &output,
              Diagnostics &diagnostics) {
  auto buffer = llvm::MemoryBuffer::getFile(object.string(), false, false);
  if (!buffer) {
    diagnostics.error(
        fmt::format("cannot read '{}': {}", object.string(), buffer.getError().message()));
    return false;
  }
  if (!check_complete((*buffer)->getMemBufferRef(), inputs.target, diagnostics))
    return false;
  auto file = llvm::object::ObjectFile::createELFObjectFile((*buffer)->getMemBufferRef());
  std::error_code error;
  llvm::raw_fd_ostream stream(output.string(), error);
  if (!file || error) {
    diagnostics.error(fmt::format("cannot write '{}': {}", output.string(),
                                  file ? error.message() : text_of(file.takeError())));
    return false;
  }
  llvm::objcopy::CommonConfig common;
  llvm::Error failure = common.SymbolsToKeepGlobal.addMatcher(llvm::objcopy::NameOrPattern::create(
      inputs.exported_symbol, llvm::objcopy::MatchStyle::Literal,
      [](llvm::Error problem) { return problem; }));
  if (!inputs.exported_as.empty())
    common.SymbolsToRename[inputs.exported_symbol] = inputs.exported_as;
  llvm::objcopy::ELFConfig elf;
  if (!failure)
    failure = llvm::objcopy::elf::executeObjcopyOnBinary(
        common, elf, llvm::cast<llvm::object::ELFObjectFileBase>(**file), stream);
  stream.close();
  std::string problem = failure              ? text_of(std::move(failure))
                        : stream.has_error() ? stream.error().message()
                                             : "";
  stream.clear_error();
  if (!problem.empty())
    diagnostics.error(fmt::format("cannot write '{}': {}", output.string(), problem));
  return problem.empty();
}

bool link_relocatable_in(const LinkInputs &inputs, const TemporaryFolder &scratch,
                         const fs::path &result, Diagnostics &diagnostics) {
  fs::path merged = scratch.file("merged.o");
  std::vector<std::string> arguments = {"-m", inputs.target.family->linker_emulation, "-r", "-o",
                                        merged.string()};
  return add_inputs(inputs, scratch, arguments, diagnostics) &&
         run_linker(arguments, diagnostics) && localize(merged, inputs, result, diagnostics);
}

} // namespace

bool link_shared_library(const LinkInputs &inputs, const TemporaryFolder &scratch,
                         Diagnostics &diagnostics) {
  fs::path result = scratch.file("model.so");
  fs::path libc = scratch.file("libc.so.6");
  fs::path versions = scratch.file("exports");
  std::string exports = fmt::format("{{ global: {}; local: *; }};\n", inputs.exported_symbol);
  if (!write_file(versions, exports.data(), exports.size(), diagnostics) ||
      !write_libc_stub(libc, inputs.target, diagnostics))
    return false;
  std::vector<std::string> arguments = {"-m",
                                        inputs.target.family->linker_emulation,
                                        "-shared",
                                        "-o",
                                        result.string(),
                                        "--soname",
                                        scratch.output().filename().string(),
                                        "--version-script",
                                        versions.string(),
                                        "--hash-style=gnu",
                                        "--build-id=none",
                                        "--gc-sections",
                                        "-z",
                                        "defs",
                                        "-z",
                                        "relro",
                                        "-z",
                                        "now",
                                        "-z",
                                        "noexecstack"};
  if (!add_inputs(inputs, scratch, arguments, diagnostics))
    return false;
  arguments.push_back(libc.string());
  return run_linker(arguments, diagnostics) && scratch.move_to_output("model.so", diagnostics);
}

bool link_relocatable(const LinkInputs &inputs, const TemporaryFolder &scratch,
                      Diagnostics &diagnostics) {
  return link_relocatable_in(inputs, scratch, scratch.file("model.o"), diagnostics) &&
         scratch.move_to_output("model.o", diagnostics);
}

bool write_archive(const LinkInputs &inputs, const TemporaryFolder &scratch,
                   Diagnostics &diagnostics) {
  std::string name = scratch.output().stem().string() + ".o";
  fs::path object = scratch.file(name);
  fs::path archive = scratch.file("archive.a");
  if (!link_relocatable_in(inputs, scratch, object, diagnostics))
    return false;
  auto member = llvm::NewArchiveMember::getFile(object.string(), true);
  llvm::Error error = member.takeError();
  if (!error) {
    member->MemberName = name;
    error = llvm::writeArchive(archive.string(), *member, llvm::SymtabWritingMode::NormalSymtab,
                               llvm::object::Archive::K_GNU, true, false);
  }
  if (error) {
    diagnostics.error(
        fmt::format("cannot write '{}': {}", archive.string(), text_of(std::move(error))));
    return false;
  }
  return scratch.move_to_output("archive.a", diagnostics);
}

} // namespace cnnc::codegen
