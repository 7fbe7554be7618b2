#include "compiler/report/sections.h"

#include <map>

namespace cnnc::report {

Json kernels_section(const Compilation &compilation) {
  Json kernels = Json::array();
  std::map<std::string, size_t> first_of_code;
  for (size_t i = 0; i < compilation.texts.size(); ++i) {
    const KernelTexts &texts = compilation.texts[i];
    Json loops = Json::array();
    for (const KernelText &text : texts.loops)
      loops.push_back({{"step", text.step}, {"text", text.text}});
    const size_t first = first_of_code.try_emplace(compilation.kernels[i].code, i).first->second;
    Json kernel = {{"texts", packed({{"graph", texts.graph}, {"loops", std::move(loops)}})},
                   {"codeOf", first}};
    if (first == i)
      kernel["code"] = packed({{"llvm", texts.llvm}, {"assembly", texts.assembly}});
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

} // namespace cnnc::report
