// The core that code is made for, as far as algorithms, layouts and schedules depend on it. They
// ask for its properties, never for its name: codegen/target fills them in, one family of CPUs in
// each file.
#pragma once

#include <cstdint>

namespace cnnc {

struct Machine {
  int64_t vector_lanes = 16;      // f32 elements of a vector register
  int64_t vector_registers = 32;  // architectural vector registers
  bool fused_multiply_add = true; // a += b * c is one instruction
  /// Whether a sum takes four products of bytes in one instruction. Without that, bytes become
  /// numbers of 16 bits (widen_integers), of which one takes two products, and one adds them.
  bool byte_products = true;
  /// Registers for the accumulators and weights of a register tile. The others hold inputs on
  /// their way to all lanes and, without fused multiply-add, a product.
  int64_t tile_registers = 28;
  /// Whether a tile with one or two vectors of weights may have 28 accumulators: multiplications
  /// take an input from memory to all lanes, so that none of the registers holds one.
  bool wide_tiles = true;
  /// tile_registers for sums of products of integers: one less where products need a register.
  int64_t dot_registers = 28;
  int64_t first_cache_bytes = int64_t(32) << 10; // first-level cache of one core
  int64_t cache_bytes = int64_t(1) << 20;        // second-level cache of one core
  /// Bytes that one core reads from memory in the time of one floating-point operation at peak.
  double bytes_per_operation = 0.15;

  /// Whether neighbours that share what they load may be twice as many as in 16 registers.
  bool many_registers() const { return vector_registers >= 32; }

  /// The same core for tiles whose sums are of integers.
  Machine for_integers() const {
    Machine result = *this;
    result.tile_registers = dot_registers;
    result.wide_tiles = wide_tiles && dot_registers == tile_registers;
    return result;
  }
};

} // namespace cnnc
