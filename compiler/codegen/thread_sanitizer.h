// Kernels in builds with ThreadSanitizer (preset tsan): it is told of their loads and stores, too, so
// that it finds races between the iterations of a parallel loop.
#pragma once

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace cnnc::codegen {

#ifdef CNNC_SANITIZE_THREADS
inline constexpr bool sanitizes_threads = true;
#else
inline constexpr bool sanitizes_threads = false;
#endif

/// Adds calls of ThreadSanitizer, which only this process has: to code for the JIT. It does not know
/// of vectors beyond 16 bytes.
void sanitize_threads(llvm::Module &module, llvm::TargetMachine &machine);

} // namespace cnnc::codegen
