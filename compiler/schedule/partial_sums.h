// How long sums of products are cut into partial sums.
#pragma once

#include "compiler/pass/decisions.h"
#include "ir/text/schedule.h"

namespace cnnc {

/// The entry `partial` for a sum over `count` iterations of a loop, channels or k, each of which has
/// `terms` products, that lowering cuts between blocks of so many iterations; empty where one sum is
/// short enough. Partial sums have 150 to 300 products, or those of one block. For 4608 products
/// the error is a quarter of that of one sum then, less than a third more than with half as long
/// parts, and the time 2 % more instead of 4 %: most of that is for ending loops, and for totals
/// that weights have driven out of the first cache.
std::vector<LoopFactor> partial_sums(const char *loop, int64_t count, int64_t block, int64_t terms,
                                     const Recorder &recorder);

} // namespace cnnc
