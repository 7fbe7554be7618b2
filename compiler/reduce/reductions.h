// The kinds of changes that make a model smaller.
#pragma once

#include "compiler/reduce/candidate.h"

#include <span>

namespace cnnc {

/// Where a change can be made: an id of a node, value or kernel or the number of an output, as the
/// change has it, and the number of an operand, attribute or dimension of it.
struct ReductionPlace {
  uint32_t id = 0;
  uint32_t part = 0;
};

struct Reduction {
  std::string_view name; // for progress
  /// All places, in the order of the text. A change leaves fewer of them, or smaller sizes, so that
  /// there is an end.
  std::vector<ReductionPlace> (*places)(const Candidate &);
  /// Changes some of them in a copy of the candidate's graph. What comes out is printed and parsed:
  /// it may be wrong, and is then not a candidate.
  void (*change)(Graph &graph, const Candidate &before, std::span<const ReductionPlace> places);
};

/// In the order in which they pay: those before make the later ones cheap.
std::span<const Reduction> reductions();
/// Short names, which are given when nothing else helps any more.
const Reduction &renaming();

// One file each.
extern const Reduction drop_outputs, drop_inputs, drop_updates;      // interface.cpp
extern const Reduction erase_ops, bypass_ops, drop_operands;         // ops.cpp
extern const Reduction randomize_weights, splat_constants;           // constants.cpp
extern const Reduction drop_schedules, dissolve_kernels, drop_types; // decisions.cpp
extern const Reduction reset_attributes;                             // attributes.cpp
extern const Reduction halve_channels, halve_images, halve_windows;  // sizes.cpp
extern const Reduction rename_values;                                // names.cpp

} // namespace cnnc
