// What the user decides in place of a policy: `@conv1.winograd=4`, `@conv1.tile=[oc:32, ow:12]`,
// `%c.prefetch=none`. Each is one decision; the policy keeps it and decides the others.
//
// A kernel has its name from the op that it is built around, hence from the start, although
// fuse_kernels makes it: choose_algorithms finds the convolution of @conv1 by the value that it
// computes. Entries of schedules wait for choose_schedule, where all kernels stand.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/text/schedule.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnnc {

struct Override {
  bool names_kernel = true; // @name, else the value %name
  std::string name;
  std::string entry; // "winograd", "tile" ...
  /// The value of an attribute that choose_algorithms decides; empty for an entry of a schedule.
  std::optional<AttributeValue> attribute;
  Schedule schedule; // that entry alone; nothing for `none`
  SourceRange name_range, entry_range, value_range;

  SourceRange range() const;   // of all of it
  std::string subject() const; // "@conv1", as a text has it
};

/// The name under which diagnostics mention the texts of overrides.
inline constexpr std::string_view override_source = "<command line>";

/// Reads one override. Reports and returns empty on error; whether there is such a kernel, loop or
/// size is for the passes that obey it.
std::optional<Override> parse_override(const std::string &text, Diagnostics &diagnostics);

/// Reads several, no two of which may decide the same.
std::optional<std::vector<Override>> parse_overrides(const std::vector<std::string> &texts,
                                                     Diagnostics &diagnostics);

/// Reports that there is no kernel or value of the name that an override has, and which of those
/// there are it may mean.
void report_unknown(const Override &override, const std::vector<std::string> &known,
                    Diagnostics &diagnostics);

} // namespace cnnc
