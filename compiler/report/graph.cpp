#include "compiler/report/sections.h"

namespace cnnc::report {

Json graph_section(const Compilation &compilation) {
  Json kernels = Json::array();
  for (const KernelInfo &kernel : compilation.kernels)
    kernels.push_back({{"name", kernel.name}, {"ops", kernel.ops}});
  return {{"kernels", kernels}};
}

} // namespace cnnc::report
