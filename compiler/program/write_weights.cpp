#include "compiler/program/write_weights.h"

#include "compiler/codegen/weights_object.h"
#include "compiler/layout/tensor_layout.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <fmt/format.h>
#include <mutex>
#include <new>
#include <numeric>
#include <sys/mman.h>

namespace cnnc {

namespace {

/// Lets work in while its memory and that of all other work stay below a limit. Work that is larger
/// than the limit waits until it is alone.
class Admission {
public:
  explicit Admission(uint64_t limit) : limit_(limit) {}

  /// Calls the function when there is room for `bytes` bytes.
  template <class Function> void run(uint64_t bytes, Function function) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return in_use_ == 0 || in_use_ + bytes <= limit_; });
      in_use_ += bytes;
    }
    const Room room{*this, bytes}; // left even when the function throws
    function();
  }

private:
  struct Room {
    Admission &admission;
    uint64_t bytes;
    ~Room() {
      std::lock_guard lock(admission.mutex_);
      admission.in_use_ -= bytes;
      admission.changed_.notify_all();
    }
  };

  const uint64_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t in_use_ = 0;
};

/// Memory that one constant needs: an expression's operand and result, or the value and its packed
/// form. One of 16 bits is made of one of f32, which is twice as large.
uint64_t memory_of(const Graph &model, const WeightsPiece &piece) {
  return (is_narrow(model.type(piece.value).dtype) ? 4 : 2) * piece.size;
}

/// Indices of the constants, the largest first, so that no thread ends with a large one.
std::vector<size_t> by_size(const std::vector<WeightsPiece> &pieces) {
  std::vector<size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return pieces[a].size > pieces[b].size; });
  return order;
}

/// Numbers of f16 that are worth a message.
struct F16Count {
  size_t infinite = 0, subnormal = 0, nonzero = 0;

  explicit F16Count(std::span<const std::byte> bytes) {
    for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
      uint16_t bits = 0;
      std::memcpy(&bits, bytes.data() + i, sizeof bits);
      const int magnitude = bits & 0x7fff;
      infinite += magnitude == 0x7c00 ? 1 : 0;
      subnormal += magnitude > 0 && magnitude < 0x400 ? 1 : 0;
      nonzero += magnitude > 0 ? 1 : 0;
    }
  }
};

/// Reports numbers that f16 does not hold, and constants most of which it holds with few digits.
/// Transforms of Winograd's method have a few of these in any case.
bool fits_f16(const Value &constant, std::span<const std::byte> bytes, Diagnostics &diagnostics) {
  if (constant.type->dtype != DType::f16)
    return true;
  const F16Count count(bytes);
  const std::string name = format_name(constant.name);
  if (count.infinite > 0) {
    diagnostics.error(constant.range,
                      fmt::format("the constant %{} has numbers beyond 65504, which f16 does not "
                                  "hold; --weights-type=bf16 does, but for filters of Winograd's "
                                  "method (--fp=strict)",
                                  name));
    return false;
  }
  if (count.subnormal > count.nonzero / 4 * 3)
    diagnostics.warning(constant.range, fmt::format("most numbers of the constant %{} are below "
                                                    "6.1e-5, where f16 has fewer digits",
                                                    name));
  return true;
}

/// Calls consume(piece, value, diagnostics) for every constant. Diagnostics come in the order of
/// the constants.
template <class Consume>
bool for_each_constant(const WeightsSource &source, Diagnostics &diagnostics, Consume consume) {
  constexpr uint64_t more_than_the_largest = uint64_t(128) << 20;
  const std::vector<WeightsPiece> &pieces = source.program.weights;
  std::vector<size_t> order = by_size(pieces);
  std::vector<Diagnostics> reports(pieces.size());
  Admission admission((order.empty() ? 0 : memory_of(source.model, pieces[order.front()])) +
                      more_than_the_largest);
  std::atomic<bool> ok = true;
  auto compute = [&](const WeightsPiece &piece, Diagnostics &report) {
    // Only transforms of filters look at elements.
    bool copied = source.model.type(piece.value).layout.winograd == 0;
    std::optional<Tensor> value = copied
                                      ? source.constants.bytes_of(source.model, piece.value, report)
                                      : source.constants.value(source.model, piece.value, report);
    return value && consume(piece, *value, report);
  };
  run_jobs(order.size(), source.jobs, [&](size_t i) {
    const WeightsPiece &piece = pieces[order[i]];
    Diagnostics &report = reports[order[i]];
    admission.run(memory_of(source.model, piece), [&] {
      try {
        if (!compute(piece, report))
          ok = false;
      } catch (const std::bad_alloc &) {
        const Value &value = source.model.value(piece.value);
        report.error(value.range, fmt::format("out of memory while computing the constant %{}",
                                              format_name(value.name)));
        ok = false;
      }
    });
  });
  for (const Diagnostics &report : reports)
    diagnostics.append(report);
  return ok;
}

/// Large blocks in large pages: a pass over the weights then costs fewer misses of the TLB.
WeightsMemory allocate_weights(uint64_t size) {
  constexpr uint64_t large_page = uint64_t{2} << 20;
  uint64_t alignment = size >= large_page ? large_page : codegen::weights_alignment;
  uint64_t rounded = (std::max<uint64_t>(size, 1) + alignment - 1) / alignment * alignment;
  WeightsMemory memory(std::aligned_alloc(alignment, rounded));
  if (memory && alignment == large_page)
    madvise(memory.get(), rounded, MADV_HUGEPAGE); // best effort
  return memory;
}

} // namespace

WeightsMemory compute_weights(const WeightsSource &source, Diagnostics &diagnostics) {
  uint64_t size = source.program.description.weights_size;
  WeightsMemory memory = allocate_weights(size);
  if (!memory) {
    diagnostics.error(fmt::format("cannot allocate {} bytes for the weights", size));
    return nullptr;
  }
  std::span<std::byte> bytes(static_cast<std::byte *>(memory.get()), size);
  auto store = [&](const WeightsPiece &piece, const Tensor &value, Diagnostics &report) {
    const std::span<std::byte> place = bytes.subspan(piece.offset, piece.size);
    write_physical(value, source.model.type(piece.value), place);
    return fits_f16(source.model.value(piece.value), place, report);
  };
  return for_each_constant(source, diagnostics, store) ? std::move(memory) : nullptr;
}

bool write_weights(const WeightsSource &source, const WeightsSink &sink, Diagnostics &diagnostics) {
  return for_each_constant(
      source, diagnostics,
      [&](const WeightsPiece &piece, const Tensor &value, Diagnostics &report) {
        const TensorType &type = source.model.type(piece.value);
        const Value &constant = source.model.value(piece.value);
        if (type.layout.plain()) // as it is, straight from the mapped file
          return fits_f16(constant, value.bytes(), report) &&
                 sink(piece.offset, value.bytes(), report);
        auto bytes = std::make_unique_for_overwrite<std::byte[]>(piece.size);
        std::span<std::byte> packed(bytes.get(), piece.size);
        write_physical(value, type, packed);
        return fits_f16(constant, packed, report) && sink(piece.offset, packed, report);
      });
}

} // namespace cnnc
