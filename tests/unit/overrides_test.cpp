// Decisions of the user in place of those of policies: how they read, and that whatever of them is
// legal computes the same.
#include "compiler/api/session.h"
#include "compiler/pass/override.h"
#include "compiler/schedule/alternatives.h"
#include "ir/text/schedule_entries.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

namespace cnnc {
namespace {

std::optional<Override> parsed(const std::string &text) {
  Diagnostics diagnostics;
  std::optional<Override> result = parse_override(text, diagnostics);
  EXPECT_EQ(result.has_value(), !diagnostics.has_errors()) << diagnostics.to_string();
  return result;
}

TEST(Override, NamesHaveDotsInside) {
  const std::optional<Override> kernel = parsed("@layer1.0.conv.tile=[oc:32, ow:12]");
  ASSERT_TRUE(kernel);
  EXPECT_TRUE(kernel->names_kernel);
  EXPECT_EQ(kernel->name, "layer1.0.conv");
  EXPECT_EQ(kernel->entry, "tile");
  EXPECT_FALSE(kernel->attribute);
  EXPECT_EQ(to_string(kernel->schedule), "schedule(tile=[oc:32, ow:12])");

  const std::optional<Override> value = parsed(R"( %"a.b/c" . winograd = -1 )");
  ASSERT_TRUE(value);
  EXPECT_FALSE(value->names_kernel);
  EXPECT_EQ(value->name, "a.b/c");
  EXPECT_EQ(value->subject(), R"(%"a.b/c")");
  EXPECT_EQ(value->attribute, AttributeValue(int64_t(-1)));
}

TEST(Override, NoneTakesAnEntryAway) {
  const std::optional<Override> none = parsed("@c.partial=none");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->schedule.empty());
  Schedule schedule;
  schedule.partial = {{"ic", 32}};
  schedule.prefetch = 4096;
  take_entry(schedule, none->entry, none->schedule);
  EXPECT_EQ(to_string(schedule), "schedule(prefetch=4096)");
}

TEST(Override, EveryEntryOfAScheduleIsTakenAlone) {
  Schedule all;
  all.vector = {{"oc", 16}};
  all.tile = {{"oc", 32}};
  all.unroll = {{"ic", 4}};
  all.parallel = {"oh"};
  all.block = {{"oh", 2}};
  all.partial = {{"ic", 32}};
  all.stage = {{"tb", 28}};
  all.prefetch = 4096;
  Schedule collected;
  for (std::string_view entry : schedule_entries()) {
    const Schedule before = collected;
    take_entry(collected, entry, all);
    EXPECT_NE(before, collected) << entry;
  }
  EXPECT_EQ(collected, all);
}

TEST(Override, SourcesKeepTheTextAsItWasWritten) {
  const std::optional<Override> override = parsed("@a.b.tile=oc:16");
  ASSERT_TRUE(override);
  EXPECT_EQ(override->range().source->text, "@a.b.tile=oc:16");
  EXPECT_EQ(override->entry_range.begin, 5u);
  EXPECT_EQ(override->value_range.begin, 10u);
  EXPECT_EQ(override->value_range.end, 15u);
}

/// The entries in which a schedule differs from another, as overrides.
std::vector<std::string> overrides_between(const std::string &kernel, const Schedule &chosen,
                                           const Schedule &other) {
  std::vector<std::string> result;
  for (std::string_view entry : schedule_entries()) {
    Schedule own, same;
    take_entry(own, entry, other);
    take_entry(same, entry, chosen);
    if (own == same)
      continue;
    std::string text = to_string(own); // schedule(tile=oc:32)
    if (!text.empty())
      text = text.substr(text.find('(') + 1);
    result.push_back(own.empty() ? fmt::format("@{}.{}=none", kernel, entry)
                                 : fmt::format("@{}.{}", kernel, text.substr(0, text.size() - 1)));
  }
  return result;
}

/// For every kernel of a model one of the schedules that it could have instead.
std::vector<std::string> random_overrides(const Model &model, std::mt19937 &random) {
  Options options;
  options.stop_after = "choose_schedule";
  Result<Session> session = Session::open(model, options, {true, graph_pipeline()});
  EXPECT_TRUE(session) << session.error();
  const Graph &graph = session->model();
  const std::vector<std::vector<NodeId>> members = kernel_members(graph);
  std::vector<std::string> result;
  for (KernelId id = 0; id < graph.kernels.size(); ++id) {
    const KernelGroup &kernel = graph.kernels[id];
    const auto alternatives =
        schedule_alternatives(graph, kernel, members[id], codegen::machine_of(session->target()));
    if (alternatives.empty())
      continue;
    const size_t chosen = random() % alternatives.size();
    for (std::string &text :
         overrides_between(kernel.name, kernel.schedule, alternatives[chosen].schedule))
      result.push_back(std::move(text));
  }
  return result;
}

void expect_the_same_values(const std::string &file, unsigned seed) {
  const Model model = *load(std::string(CNNC_SOURCE_DIR) + "/examples/" + file);
  std::mt19937 random(seed);
  Options options;
  options.overrides = random_overrides(model, random);
  ASSERT_GT(options.overrides.size(), 3u);
  std::string all;
  for (const std::string &text : options.overrides)
    all += "--set '" + text + "' ";
  SCOPED_TRACE(file + " " + all);
  const InputMaker make_inputs =
      [&](const cnnc_model_v1 &table) -> Result<std::vector<std::vector<std::byte>>> {
    std::vector<std::vector<std::byte>> inputs;
    std::normal_distribution<float> normal;
    for (uint32_t i = 0; i < table.input_count; ++i) {
      std::vector<float> values(table.inputs[i].size / sizeof(float));
      for (float &value : values)
        value = normal(random);
      const auto bytes = std::as_bytes(std::span(values));
      inputs.emplace_back(bytes.begin(), bytes.end());
    }
    return inputs;
  };
  Result<Verification> verified = verify(model, make_inputs, 1e-4, options);
  ASSERT_TRUE(verified) << verified.error();
  EXPECT_TRUE(verified->passed());
}

TEST(Override, LegalSchedulesOfLeNetComputeTheSame) {
  for (unsigned seed = 1; seed <= 8; ++seed)
    expect_the_same_values("lenet/lenet.ir", seed);
}

TEST(Override, LegalSchedulesOfResNetComputeTheSame) {
  expect_the_same_values("nets/resnet18.ir", 1);
}

} // namespace
} // namespace cnnc
