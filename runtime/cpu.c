/* Which instruction-set extensions may be used here: asked of the CPU once. */
#include "internal.h"

#include <stdatomic.h>

#include CNNC_CPU_SOURCE /* detect_features */

uint32_t cnnc_cpu_features(void) {
  static _Atomic uint64_t cache; /* the bits, above them a 1 once they are known */
  uint64_t known = atomic_load_explicit(&cache, memory_order_relaxed);
  if (!known) {
    known = (uint64_t)1 << 32 | detect_features();
    atomic_store_explicit(&cache, known, memory_order_relaxed);
  }
  return (uint32_t)known;
}
