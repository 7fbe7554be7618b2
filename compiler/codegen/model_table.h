// The constant tables through which the runtime and the callers see a compiled model, and the C
// header of the model.
#pragma once

#include "compiler/codegen/target/target.h"
#include "runtime/program.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace cnnc::codegen {

/// An input or output of the model.
struct TensorDescription {
  std::string name;
  cnnc_dtype dtype = CNNC_F32;
  std::vector<int64_t> shape; ///< CNNC_SYMBOLIC_BATCH for the symbolic batch
  uint64_t size = 0;          ///< bytes, of one image if the batch is symbolic
  /// Of an output: the input in whose memory it lies, a tensor of the state of a training step.
  std::optional<uint32_t> updates = std::nullopt;
};

/// One call of a kernel. Steps with the same code share a symbol.
struct StepDescription {
  std::string name;   ///< for profiles
  std::string symbol; ///< kernel_symbol(): `void symbol(cnnc_task *, void *const *buffers)`
  std::vector<cnnc_buffer> buffers;
};

struct ModelDescription {
  std::string name;
  Target target;
  std::vector<TensorDescription> inputs;
  std::vector<TensorDescription> outputs;
  std::vector<StepDescription> steps; ///< in the order of execution
  uint64_t workspace_size = 0;        ///< bytes, with one thread
  uint64_t workspace_per_thread = 0;  ///< bytes more for every further thread
  uint64_t workspace_alignment = 64;
  uint64_t weights_size = 0; ///< bytes
  bool symbolic_batch = false;
  /// Classes that the labels of a training step may be, 0 to label_count - 1; 0: not known.
  uint32_t label_count = 0;
};

/// Whether the model updates inputs: it is a training step, and these are its state.
bool has_state(const ModelDescription &description);

/// Whether a tensor of the state, momentum or count of steps, begins at zero: a file of weights has
/// none of them.
bool starts_at_zero(std::string_view tensor);

/// A name as a C identifier: other characters become '_'.
std::string c_identifier(std::string_view name);

/// The symbol of a kernel: "model.kernel". The dot keeps it apart from every symbol of C, whatever
/// the user called the kernel ("free", "memcpy").
std::string kernel_symbol(std::string_view model, std::string_view kernel);

/// The one symbol that a model exports: NAME_model.
std::string model_symbol(const ModelDescription &description);

/// The module with the tables, the function NAME_model and the `run` behind it. It refers to the
/// kernels, to `cnnc_weights` and to `cnnc_program_run`. Null after an error: a table that the
/// runtime would not understand.
std::unique_ptr<llvm::Module> build_model_table(llvm::LLVMContext &context,
                                                const ModelDescription &description,
                                                Diagnostics &diagnostics);

/// The text of NAME.h, for C11 and C++: includes cnnc_runtime.h, declares NAME_model, and defines
/// NAME_run with one typed parameter per tensor. A model that updates inputs also has the layout of
/// its state, NAME_state, and NAME_step, which runs on it (cnnc_training.h).
std::string write_header(const ModelDescription &description);

} // namespace cnnc::codegen
