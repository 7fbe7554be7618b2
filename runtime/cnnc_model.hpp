// Compiled models from C++20: a workspace that owns itself, and tensors whose sizes are checked.
//
//   #include "cnnc_model.hpp"
//   #include "lenet.h"
//   cnnc::CompiledModel lenet(lenet_model());
//   std::vector<float> image(28 * 28), probabilities(10);
//   if (cnnc::Status status = lenet.run({image}, {probabilities}); !status)
//     std::cerr << status.text << "\n";
//
// Header only; needs the standard library and cnnc_runtime.h. Throws nothing itself.
#pragma once

#include "cnnc_runtime.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace cnnc {

/// How a call ended. `text` says what was wrong; empty when nothing was.
struct [[nodiscard]] Status {
  cnnc_status code = CNNC_OK;
  std::string text;
  explicit operator bool() const { return code == CNNC_OK; }
};

/// The types that tensors have in C++.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, int32_t> ||
    std::same_as<T, int64_t> || std::same_as<T, uint8_t> || std::same_as<T, bool> ||
    std::same_as<T, int8_t> || std::same_as<T, int16_t>;

template <Element T> constexpr cnnc_dtype dtype_of() {
  if constexpr (std::same_as<T, float>)
    return CNNC_F32;
  else if constexpr (std::same_as<T, double>)
    return CNNC_F64;
  else if constexpr (std::same_as<T, int32_t>)
    return CNNC_I32;
  else if constexpr (std::same_as<T, int64_t>)
    return CNNC_I64;
  else if constexpr (std::same_as<T, uint8_t>)
    return CNNC_U8;
  else if constexpr (std::same_as<T, int8_t>)
    return CNNC_I8;
  else if constexpr (std::same_as<T, int16_t>)
    return CNNC_I16;
  else
    return CNNC_BOOL;
}

/// The elements of a tensor that a call reads (Pointer is `const void *`) or writes (`void *`):
/// dense, row-major. Made from a vector, array, span or other contiguous range, which it does not
/// own.
template <class Pointer> struct TensorRef {
  Pointer data;
  size_t count;
  cnnc_dtype dtype;

  template <class Range>
  requires std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range> &&
      Element<std::remove_const_t<std::ranges::range_value_t<Range>>> &&
      std::convertible_to<decltype(std::ranges::data(std::declval<Range &>())), Pointer>
      TensorRef(Range &&range) // NOLINT: a vector is meant to be given as it is
      : data(std::ranges::data(range)), count(std::ranges::size(range)),
        dtype(dtype_of<std::remove_const_t<std::ranges::range_value_t<Range>>>()) {}
};
using Input = TensorRef<const void *>;
using Output = TensorRef<void *>;

/// A model, and a workspace for one call at a time: threads that run a model at the same time need
/// one object each. The model's library must stay loaded.
class CompiledModel {
public:
  /// `table` is what NAME_model() returns. Up to `threads` threads run each call.
  explicit CompiledModel(const cnnc_model_v1 *table, uint32_t threads = 1)
      : table_(table), threads_(threads),
        workspace_(allocate(*table, threads), Free{std::align_val_t(table->workspace_alignment)}) {}

  const cnnc_model_v1 &table() const { return *table_; }
  std::span<const cnnc_tensor_v1> inputs() const { return {table_->inputs, table_->input_count}; }
  std::span<const cnnc_tensor_v1> outputs() const {
    return {table_->outputs, table_->output_count};
  }

  /// Does ahead of the first run what makes runs fast: cnnc_prepare() on this workspace. A copy of
  /// the weights belongs to the model, not to this object: release() frees it, or the library's end.
  Status prepare() {
    cnnc_context context = {};
    context.threads = threads_;
    const cnnc_status code = cnnc_prepare(table_, workspace_.get(), &context);
    return {code, code == CNNC_OK ? "" : cnnc_status_text(code)};
  }
  /// While no run of the model is at work: see cnnc_release().
  void release() { cnnc_release(table_); }

  /// Runs the model on one range per input and output, in the order of the table. `batch` is the
  /// number of images where the first dimension is symbolic. Nothing is run unless all types and
  /// sizes are right.
  Status run(std::initializer_list<Input> inputs, std::initializer_list<Output> outputs,
             int64_t batch = 1) {
    return run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()),
               batch);
  }
  Status run(std::span<const Input> inputs, std::span<const Output> outputs, int64_t batch = 1) {
    if (!workspace_ && table_->workspace_size != 0)
      return {CNNC_OUT_OF_MEMORY, cnnc_status_text(CNNC_OUT_OF_MEMORY)};
    std::vector<const void *> read;
    std::vector<void *> written;
    std::string wrong = collect(inputs, this->inputs(), "input", batch, read);
    if (wrong.empty())
      wrong = collect(outputs, this->outputs(), "output", batch, written);
    if (!wrong.empty())
      return {CNNC_INVALID_ARGUMENT, wrong};
    cnnc_context context = {};
    context.threads = threads_;
    context.batch = batch;
    cnnc_status code = table_->run(read.data(), written.data(), workspace_.get(), &context);
    return {code, code == CNNC_OK ? "" : cnnc_status_text(code)};
  }

private:
  struct Free {
    std::align_val_t alignment;
    void operator()(void *memory) const { ::operator delete(memory, alignment); }
  };

  static void *allocate(const cnnc_model_v1 &table, uint32_t threads) {
    return ::operator new(cnnc_workspace_size(&table, threads),
                          std::align_val_t(table.workspace_alignment), std::nothrow);
  }

  static size_t size_of(cnnc_dtype dtype) {
    switch (dtype) {
    case CNNC_F64:
    case CNNC_I64:
      return 8;
    case CNNC_U8:
    case CNNC_BOOL:
    case CNNC_I8:
      return 1;
    case CNNC_I16:
      return 2;
    default:
      return 4;
    }
  }

  /// Elements of a tensor. Batches that no address space holds are refused by the model itself.
  static size_t count_of(const cnnc_tensor_v1 &tensor, int64_t batch) {
    bool symbolic = tensor.rank != 0 && tensor.shape[0] == CNNC_SYMBOLIC_BATCH;
    return tensor.size / size_of(tensor.dtype) * (symbolic ? static_cast<size_t>(batch) : 1);
  }

  /// Appends the pointers; says what does not fit the table.
  template <class Pointer>
  static std::string collect(std::span<const TensorRef<Pointer>> given,
                             std::span<const cnnc_tensor_v1> wanted, const char *role,
                             int64_t batch, std::vector<Pointer> &pointers) {
    if (given.size() != wanted.size())
      return std::to_string(given.size()) + " " + role + "s were given instead of " +
             std::to_string(wanted.size());
    for (size_t i = 0; i < given.size(); ++i) {
      const cnnc_tensor_v1 &tensor = wanted[i];
      std::string name = std::string(role) + " '" + tensor.name + "'";
      bool bytes = tensor.dtype == CNNC_BOOL && given[i].dtype == CNNC_U8;
      if (given[i].dtype != tensor.dtype && !bytes)
        return name + " has another element type";
      if (size_t count = count_of(tensor, batch); given[i].count != count)
        return name + " has " + std::to_string(count) + " elements, but " +
               std::to_string(given[i].count) + " were given";
      pointers.push_back(given[i].data);
    }
    return "";
  }

  const cnnc_model_v1 *table_;
  uint32_t threads_;
  std::unique_ptr<void, Free> workspace_;
};

} // namespace cnnc
