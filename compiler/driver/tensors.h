// Inputs and outputs of --run and --verify.
#pragma once

#include "compiler/driver/budget.h"
#include "compiler/driver/command_line.h"
#include "ir/weights/npy.h"

#include <memory>
#include <new>

namespace cnnc::driver {

using Bytes = std::vector<std::byte>;

struct Inputs {
  std::vector<Bytes> tensors;
  int64_t batch = 1;
};

// All of these count what they allocate before they do.

/// From the .npy files of the command line, or random ones, checked against the model's table.
Result<Inputs> make_inputs(const CommandLine &line, const cnnc_model_v1 &model, Budget &budget);
/// The same for calls of the API that ask for their inputs. These count the inputs themselves, not what
/// making them takes. Refers to the command line.
InputMaker input_maker(const CommandLine &line);
/// From one .npy file per input.
Result<Inputs> read_inputs(std::span<const std::string> files, const cnnc_model_v1 &model,
                           Budget &budget);
/// From one .npy file per output, whose shapes have to be those of outputs for that batch.
Result<std::vector<Bytes>> read_outputs(std::span<const std::string> files,
                                        const cnnc_model_v1 &model, int64_t batch, Budget &budget);

/// The bytes of an array that has been read from `file` for a tensor, whose type it must have; the
/// first symbolic batch decides for all. `role` is "input" or "output".
Result<Bytes> take_tensor(NpyArray array, const std::string &file, const char *role,
                          const cnnc_tensor_v1 &tensor, std::optional<int64_t> &batch);

/// A call whose memory is there before it is run: outputs and workspace. The program and the inputs
/// must outlive it.
class PreparedCall {
public:
  static Result<PreparedCall> make(const Program &program, const Inputs &inputs, uint32_t threads,
                                   Budget &budget);
  Result<void> run();
  std::vector<Bytes> &outputs() { return outputs_; }

private:
  PreparedCall(const Program &program, const Inputs &inputs, uint32_t threads);

  struct Free {
    std::align_val_t alignment;
    void operator()(void *memory) const { ::operator delete(memory, alignment); }
  };

  const Program &program_;
  std::vector<Bytes> outputs_;
  std::vector<const void *> input_pointers_;
  std::vector<void *> output_pointers_;
  std::unique_ptr<void, Free> workspace_; // null when there is no memory: the call says so
  cnnc_context context_ = {};
};

/// Runs a compiled model and returns its outputs.
Result<std::vector<Bytes>> run_once(const Program &program, const Inputs &inputs, uint32_t threads,
                                    Budget &budget);

/// Bytes of a tensor of a batch; the batch counts only where it is symbolic.
size_t tensor_size(const cnnc_tensor_v1 &tensor, int64_t batch);

/// The dimensions of a tensor of a batch.
std::vector<int64_t> shape_of(const cnnc_tensor_v1 &tensor, int64_t batch);
/// "f32[1, 10]"
std::string spell_type(const cnnc_tensor_v1 &tensor, int64_t batch);

/// The elements as numbers, and the bytes that they take.
std::vector<double> as_numbers(const cnnc_tensor_v1 &tensor, const Bytes &bytes);
std::vector<double> as_numbers(const NpyArray &array);
uint64_t size_as_numbers(const cnnc_tensor_v1 &tensor, int64_t batch);

/// Writes to -o, to --outputs, or a short view of each tensor to standard output.
Result<void> show_outputs(const CommandLine &line, const cnnc_model_v1 &model,
                          const std::vector<Bytes> &outputs, int64_t batch, Budget &budget);

} // namespace cnnc::driver
