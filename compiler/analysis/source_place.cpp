#include "compiler/analysis/source_place.h"

#include <fmt/format.h>

namespace cnnc {

std::string source_place(const SourceRange &range) {
  if (!range.known())
    return {};
  const Source &source = *range.source;
  return source.is_text ? fmt::format("{}:{}", source.name, line_column(source, range.begin).line)
                        : source.part;
}

} // namespace cnnc
