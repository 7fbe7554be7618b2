#include "compiler/support/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <unistd.h>

namespace cnnc {

uint64_t machine_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
  uint64_t bytes = pages > 0 && page > 0
                       ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page)
                       : std::numeric_limits<uint64_t>::max();
  for (const char *file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    uint64_t limit = 0;
    if (std::ifstream(file) >> limit) // else there is no such file, or it says "max"
      bytes = std::min(bytes, limit);
  }
  return bytes;
}

} // namespace cnnc
