#include "compiler/codegen/jit.h"

#include "compiler/codegen/thread_sanitizer.h"
#include "compiler/codegen/weights_object.h"
#include "runtime/program.h"

#include <cassert>
#include <cstring>
#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/ExecutionEngine/Orc/AbsoluteSymbols.h>
#include <llvm/ExecutionEngine/Orc/Core.h>
#include <llvm/ExecutionEngine/Orc/ExecutionUtils.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h>
#include <llvm/Support/MemoryBuffer.h>

namespace cnnc::codegen {

namespace orc = llvm::orc;

struct JitModel::Session {
  explicit Session(std::unique_ptr<orc::ExecutorProcessControl> control)
      : execution(std::move(control)), linker(execution),
        library(execution.createBareJITDylib("model")) {
    execution.setErrorReporter([this](llvm::Error error) {
      errors += (errors.empty() ? "" : "; ") + llvm::toString(std::move(error));
    });
  }
  ~Session() {
    if (llvm::Error error = execution.endSession())
      llvm::consumeError(std::move(error));
  }

  llvm::Error define_runtime(const void *weights);
  llvm::Error add(std::span<const ObjectCode> objects);

  std::string errors; ///< what ORC reported on the side
  orc::ExecutionSession execution;
  orc::ObjectLinkingLayer linker;
  orc::JITDylib &library;
};

/// The symbols that a model needs from outside: the runtime of this process, its weights, and the
/// copies that LLVM calls. The same set that the linker offers to shared libraries, and
/// ThreadSanitizer where kernels call it.
llvm::Error JitModel::Session::define_runtime(const void *weights) {
  orc::SymbolMap symbols;
  auto define = [&](llvm::StringRef name, orc::ExecutorAddr address, llvm::JITSymbolFlags flags) {
    symbols[execution.intern(name)] = {address, flags | llvm::JITSymbolFlags::Exported};
  };
  auto function = [&](llvm::StringRef name, auto *pointer) {
    define(name, orc::ExecutorAddr::fromPtr(pointer), llvm::JITSymbolFlags::Callable);
  };
  function("cnnc_program_run", &cnnc_program_run);
  function("cnnc_program_prepare", &cnnc_program_prepare);
  function("cnnc_program_release", &cnnc_program_release);
  function("cnnc_parallel_for", &cnnc_parallel_for);
  function("memset", &std::memset);
  function("memcpy", static_cast<void *(*)(void *, const void *, size_t)>(&std::memcpy));
  function("memmove", static_cast<void *(*)(void *, const void *, size_t)>(&std::memmove));
  define(llvm::StringRef(weights_symbol), orc::ExecutorAddr::fromPtr(weights), {});
  if constexpr (sanitizes_threads) {
    auto process = orc::DynamicLibrarySearchGenerator::GetForCurrentProcess('\0');
    if (!process)
      return process.takeError();
    library.addGenerator(std::move(*process));
  }
  return library.define(orc::absoluteSymbols(std::move(symbols)));
}

llvm::Error JitModel::Session::add(std::span<const ObjectCode> objects) {
  for (const ObjectCode &object : objects)
    if (llvm::Error error = linker.add(library, llvm::MemoryBuffer::getMemBufferCopy(
                                                    {object.data(), object.size()}, "kernel")))
      return error;
  return llvm::Error::success();
}

JitModel::JitModel(std::unique_ptr<Session> session) : session_(std::move(session)) {}
JitModel::~JitModel() = default;

std::unique_ptr<JitModel> JitModel::create(std::span<const ObjectCode> objects,
                                           const std::string &exported_symbol, const void *weights,
                                           Diagnostics &diagnostics) {
  assert(reinterpret_cast<uintptr_t>(weights) % weights_alignment == 0);
  auto fail = [&](llvm::Error error, const std::string &details) {
    std::string text = llvm::toString(std::move(error));
    diagnostics.error("internal error: cannot load the compiled code: " + text +
                      (details.empty() ? "" : "; " + details));
    return nullptr;
  };
  auto control = orc::SelfExecutorProcessControl::Create();
  if (!control)
    return fail(control.takeError(), "");
  auto session = std::make_unique<Session>(std::move(*control));
  if (llvm::Error error = session->define_runtime(weights))
    return fail(std::move(error), session->errors);
  if (llvm::Error error = session->add(objects))
    return fail(std::move(error), session->errors);
  auto address = session->execution.lookup({&session->library}, exported_symbol);
  if (!address)
    return fail(address.takeError(), session->errors);
  std::unique_ptr<JitModel> result(new JitModel(std::move(session)));
  result->model_ = address->getAddress().toPtr<const cnnc_model_v1 *(*)()>()();
  return result;
}

} // namespace cnnc::codegen
