// Entries of schedules as texts, as they stand in a schedule; recorders take them as they are.
#pragma once

#include "ir/text/schedule.h"

namespace cnnc {

/// "oc:64, ow:6", or "none".
inline std::string spelt(const std::vector<LoopFactor> &factors) {
  std::string text;
  for (const LoopFactor &factor : factors)
    text += (text.empty() ? "" : ", ") + factor.loop + ":" + std::to_string(factor.size);
  return text.empty() ? "none" : text;
}

/// "n, oc, oh", or "none".
inline std::string spelt(const std::vector<LoopName> &loops) {
  std::string text;
  for (const LoopName &name : loops)
    text += (text.empty() ? "" : ", ") + name.loop;
  return text.empty() ? "none" : text;
}

} // namespace cnnc
