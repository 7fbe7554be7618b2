// The record of decisions, which costs nothing when nobody listens.
#include "compiler/pass/decisions.h"

#include <gtest/gtest.h>

namespace {

int formatted = 0;

struct Counted {
  int value = 0;
};

} // namespace

template <> struct fmt::formatter<Counted> : fmt::formatter<int> {
  template <class Context> auto format(const Counted &counted, Context &context) const {
    ++formatted;
    return fmt::formatter<int>::format(counted.value, context);
  }
};

namespace cnnc {
namespace {

/// A policy as they are: two candidates, one that is left out, a choice, and a rule.
void decide(const Recorder &recorder) {
  const Counted two{2}, three{3};
  Record record = recorder.question("tile", "loads");
  record.candidate(text("vectors:{}", two), 0.5);
  record.candidate(text("vectors:{}", three), 0.25, text("reads {} lines", three));
  record.left_out("vectors:4", text("more than {} registers", two));
  record.choose(text("vectors:{}", three), "the fewest loads");
  recorder.note("prefetch", "none", text("read {} times", two));
}

TEST(decisions, nothing_is_formatted_when_nobody_listens) {
  formatted = 0;
  decide({});
  decide({nullptr, "choose_schedule", "conv1"});
  EXPECT_EQ(formatted, 0);
}

TEST(decisions, candidates_costs_and_reasons_are_kept) {
  formatted = 0;
  DecisionLog log;
  decide({&log, "choose_schedule", "conv1"});
  EXPECT_EQ(formatted, 6);
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[0].pass, "choose_schedule");
  EXPECT_EQ(log[0].subject, "conv1");
  EXPECT_EQ(log[0].question, "tile");
  EXPECT_EQ(log[0].unit, "loads");
  EXPECT_EQ(log[0].chosen, "vectors:3");
  EXPECT_EQ(log[0].reason, "the fewest loads");
  ASSERT_EQ(log[0].candidates.size(), 3u);
  EXPECT_EQ(log[0].candidates[0].choice, "vectors:2");
  EXPECT_EQ(log[0].candidates[0].cost, 0.5);
  EXPECT_EQ(log[0].candidates[1].note, "reads 3 lines");
  EXPECT_EQ(log[0].candidates[2].cost, std::nullopt);
  EXPECT_EQ(log[0].candidates[2].note, "more than 2 registers");
  EXPECT_EQ(log[1].question, "prefetch");
  EXPECT_TRUE(log[1].candidates.empty());
}

TEST(decisions, one_that_is_not_taken_is_not_in_the_log) {
  DecisionLog log;
  Recorder(&log, "fuse_kernels", "conv1").question("fusion").candidate("relu", 1);
  EXPECT_TRUE(log.empty());
}

} // namespace
} // namespace cnnc
