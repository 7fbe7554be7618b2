#include "compiler/report/sections.h"

namespace cnnc::report {

Json passes_section(const Compilation &compilation) {
  Json passes = Json::array();
  for (const PassRecord &pass : compilation.passes) {
    Json changes = Json::array();
    for (const PassStatistics::Change &change : pass.statistics.changes)
      changes.push_back(
          {{"what", change.what}, {"before", change.before}, {"after", change.after}});
    passes.push_back({{"name", pass.name},
                      {"level", pass.level},
                      {"summary", pass.summary},
                      {"seconds", std::chrono::duration<double>(pass.statistics.time).count()},
                      {"added", pass.added},
                      {"removed", pass.removed},
                      {"changes", std::move(changes)},
                      {"diff", pass.diff.empty() ? Json() : blob(pass.diff)}});
  }
  return passes;
}

} // namespace cnnc::report
