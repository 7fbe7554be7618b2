// Greedy: at the step where most memory is in use, what is kept for later steps alone and can be
// computed again is a candidate. The largest whose copy does not need more memory elsewhere is
// taken, until there is none. Every candidate is tried once, at a cost linear in the size of the
// graph.
//
// Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016, compute
// segments of a network again; here convolutions and products never are, so that a step of training
// takes little longer.
#include "compiler/training/recomputation.h"

#include "compiler/analysis/cost.h"

#include <algorithm>
#include <map>
#include <utility>

namespace cnnc {

namespace {

using MemoryId = uint32_t;

/// A copy may need others before it. No more than this many, so that no long chain is computed again
/// for each of its values.
constexpr size_t most_steps_at_once = 12;

/// What is smaller than this part of the memory to be saved is rather kept longer than computed
/// again: means and variances beside the map that they are of.
constexpr int64_t small_part = 16;

/// A copy has to save at least this part of the largest value.
constexpr int64_t least_part = 64;

/// What is known of each step of the execution, whenever it runs.
class StepFacts {
public:
  StepFacts(const Graph &graph, const Execution &execution)
      : graph_(graph), execution_(execution), repeatable_(execution.steps.size(), false),
        deadlines_(execution.steps.size(), no_step), in_place_(execution.steps.size()) {
    std::vector<uint32_t> writers(graph.values.size(), 0); // steps that write to each root
    for (uint32_t step = 0; step < execution.steps.size(); ++step)
      for (ValueId root : written(step))
        ++writers[root];
    const std::map<ValueId, uint32_t> overwritten = overwriting_steps();
    Execution probe = execution;
    for (uint32_t step = 0; step < execution.steps.size(); ++step) {
      repeatable_[step] = is_cheap(step) && std::ranges::all_of(written(step), [&](ValueId root) {
                            return writers[root] == 1;
                          });
      deadlines_[step] = deadline_of(step, overwritten);
      find_in_place(step, probe);
    }
  }

  /// Whether a copy of it takes little time and gives all that it gives.
  bool repeatable(uint32_t step) const { return repeatable_[step]; }
  /// The step that overwrites an input of the model which this one reads; no_step: none does.
  uint32_t deadline(uint32_t step) const { return deadlines_[step]; }
  /// Roots that it reads, and which of its results may lie in their memory where it is the last.
  const std::vector<std::pair<ValueId, ValueId>> &in_place(uint32_t step) const {
    return in_place_[step];
  }

  /// Roots in the workspace, each once, that a step writes.
  std::vector<ValueId> written(uint32_t step) const {
    std::vector<ValueId> roots;
    for (NodeId id : execution_.steps[step])
      for (ValueId result : graph_.nodes[id].results)
        if (execution_.crosses[result])
          add_planned(result, roots);
    return roots;
  }
  std::vector<ValueId> read(uint32_t step) const {
    std::vector<ValueId> roots;
    for (NodeId id : execution_.steps[step])
      for (ValueId operand : graph_.nodes[id].operands)
        add_planned(operand, roots);
    std::erase_if(roots, [&](ValueId root) { return execution_.lifetimes[root].first == step; });
    return roots;
  }

private:
  void add_planned(ValueId value, std::vector<ValueId> &roots) const {
    const ValueId root = execution_.places[value].root;
    if (execution_.lifetimes[root].planned && std::ranges::find(roots, root) == roots.end())
      roots.push_back(root);
  }

  bool is_cheap(uint32_t step) const {
    return std::ranges::all_of(execution_.steps[step], [&](NodeId id) {
      const Node &node = graph_.nodes[id];
      return !std::holds_alternative<Call>(node.op) && multiplications(graph_, node) == 0 &&
             std::ranges::all_of(node.results, [&](ValueId result) {
               const ValueId root = execution_.places[result].root;
               return !execution_.crosses[result] ||
                      (root == result && execution_.lifetimes[root].planned);
             });
    });
  }

  /// For inputs of the model in whose memory an output lies: the step that computes the output.
  std::map<ValueId, uint32_t> overwriting_steps() const {
    std::map<ValueId, uint32_t> result;
    for (size_t i = 0; i < graph_.outputs.size(); ++i)
      if (const ValueId input = graph_.updated_by(i); input != no_id)
        result[input] = execution_.lifetimes[execution_.places[graph_.outputs[i]].root].first;
    return result;
  }

  uint32_t deadline_of(uint32_t step, const std::map<ValueId, uint32_t> &overwritten) const {
    uint32_t result = no_step;
    for (NodeId id : execution_.steps[step])
      for (ValueId operand : graph_.nodes[id].operands)
        if (auto found = overwritten.find(execution_.places[operand].root);
            found != overwritten.end())
          result = std::min(result, found->second);
    return result;
  }

  /// `probe` is the execution; it is the same again afterwards.
  void find_in_place(uint32_t step, Execution &probe) {
    for (ValueId root : read(step)) {
      Lifetime &lifetime = probe.lifetimes[root];
      const uint32_t last = std::exchange(lifetime.last, step); // as if nothing read it later
      for (ValueId result : written(step))
        if (may_work_in_place(graph_, probe, step, root, result, false))
          in_place_[step].emplace_back(root, result);
      lifetime.last = last;
    }
  }

  const Graph &graph_;
  const Execution &execution_;
  std::vector<bool> repeatable_;
  std::vector<uint32_t> deadlines_;
  std::vector<std::vector<std::pair<ValueId, ValueId>>> in_place_;
};

/// When each memory is in use, and how much at each step of a timetable.
struct Profile {
  std::vector<uint32_t> first, last; // positions in Timetable::steps, of each memory
  std::vector<int64_t> in_use;       // at each position
  size_t fullest = 0;                // position
  int64_t most() const { return in_use.empty() ? 0 : in_use[fullest]; }
};

/// Bytes of results at a position that lie in the memory of what is read there for the last time.
int64_t size_in_place(const Timetable &table, const Profile &profile, uint32_t at,
                      const StepFacts &facts) {
  const TimetableStep &step = table.steps[at];
  int64_t size = 0;
  for (MemoryId result : step.writes) {
    const bool in_place = std::ranges::any_of(step.reads, [&](MemoryId read) {
      const std::pair pair(table.memories[read].root, table.memories[result].root);
      return profile.last[read] == at &&
             std::ranges::find(facts.in_place(step.step), pair) != facts.in_place(step.step).end();
    });
    size += in_place ? table.memories[result].size : 0;
  }
  return size;
}

Profile profile_of(const Timetable &table, const StepFacts &facts) {
  Profile profile;
  profile.first.assign(table.memories.size(), no_step);
  profile.last.assign(table.memories.size(), 0);
  for (uint32_t at = 0; at < table.steps.size(); ++at) {
    for (MemoryId memory : table.steps[at].writes)
      profile.first[memory] = std::min(profile.first[memory], at);
    for (const std::vector<MemoryId> *used : {&table.steps[at].writes, &table.steps[at].reads})
      for (MemoryId memory : *used)
        profile.last[memory] = at;
  }
  std::vector<int64_t> change(table.steps.size() + 1, 0);
  for (MemoryId memory = 0; memory < table.memories.size(); ++memory)
    if (profile.first[memory] != no_step) {
      change[profile.first[memory]] += table.memories[memory].size;
      change[profile.last[memory] + 1] -= table.memories[memory].size;
    }
  profile.in_use.resize(table.steps.size());
  int64_t sum = 0;
  for (uint32_t at = 0; at < table.steps.size(); ++at) {
    sum += change[at];
    profile.in_use[at] = sum - size_in_place(table, profile, at, facts);
    if (profile.in_use[at] > profile.most())
      profile.fullest = at;
  }
  return profile;
}

/// A timetable in which one step is done once more for those of its readers that come behind the
/// fullest position.
class Attempt {
public:
  /// With `share`, copies behind the fullest position serve again: one of them for these readers, or
  /// what is copied now for the readers of later ones.
  Attempt(const Timetable &table, const Profile &profile, const StepFacts &facts, bool share)
      : table_(table), profile_(profile), facts_(facts), share_(share) {}

  /// Empty where the copy would come too late or take too many others.
  std::optional<Timetable> repeat(uint32_t position) {
    const std::vector<MemoryId> kept = table_.steps[position].writes;
    reader_ = first_reader(kept);
    saved_ = size_of(kept);
    for (MemoryId memory : kept)
      if (const std::optional<MemoryId> copy = copy_to_share(table_.memories[memory].root))
        made_[table_.memories[memory].root] = *copy;
    if (made_.size() < kept.size() && !add_copy(position))
      return std::nullopt;
    for (uint32_t at = reader_; at < table_.steps.size(); ++at)
      for (MemoryId &read : table_.steps[at].reads)
        if (std::ranges::find(kept, read) != kept.end() || is_later_copy(read))
          read = made_.at(table_.memories[read].root);
    table_.steps.insert(table_.steps.begin() + reader_, added_.begin(), added_.end());
    drop_unread_copies();
    return std::move(table_);
  }

private:
  uint32_t first_reader(const std::vector<MemoryId> &memories) const {
    auto at = static_cast<uint32_t>(profile_.fullest);
    while (std::ranges::find_first_of(table_.steps[at].reads, memories) ==
           table_.steps[at].reads.end())
      ++at;
    return at;
  }

  int64_t size_of(const std::vector<MemoryId> &memories) const {
    int64_t size = 0;
    for (MemoryId memory : memories)
      size += table_.memories[memory].size;
    return size;
  }

  /// Appends a copy of the step at a position behind those of its sources.
  bool add_copy(uint32_t position) {
    const TimetableStep original = table_.steps[position];
    if (open_ + added_.size() == most_steps_at_once || comes_too_late(original))
      return false;
    ++open_;
    TimetableStep copy{original.step, true, {}, {}};
    for (MemoryId read : original.reads) {
      const std::optional<MemoryId> source = source_of(read);
      if (!source)
        return false;
      copy.reads.push_back(*source);
    }
    for (MemoryId write : original.writes) {
      const TimetableMemory memory = table_.memories[write];
      copy.writes.push_back(static_cast<MemoryId>(table_.memories.size()));
      made_[memory.root] = copy.writes.back();
      table_.memories.push_back({memory.root, memory.size, true});
    }
    --open_;
    added_.push_back(std::move(copy));
    return true;
  }

  /// An input that it reads has been overwritten before the reader.
  bool comes_too_late(const TimetableStep &step) const {
    const uint32_t deadline = facts_.deadline(step.step);
    return deadline != no_step &&
           std::any_of(table_.steps.begin(), table_.steps.begin() + reader_,
                       [&](const TimetableStep &other) { return other.step == deadline; });
  }

  /// Where a copy right before the reader finds what a memory held.
  std::optional<MemoryId> source_of(MemoryId memory) {
    const TimetableMemory known = table_.memories[memory];
    if (is_there(memory))
      return memory;
    if (auto found = made_.find(known.root); found != made_.end())
      return found->second;
    for (MemoryId other = 0; other < profile_.first.size(); ++other)
      if (table_.memories[other].root == known.root && is_there(other))
        return other;
    if (const std::optional<MemoryId> copy = copy_to_share(known.root))
      return copy;
    const uint32_t writer = profile_.first[memory];
    if (known.size >= saved_ / small_part && facts_.repeatable(table_.steps[writer].step))
      return add_copy(writer) ? std::optional(made_.at(known.root)) : std::nullopt;
    saved_ -= known.size; // kept longer
    return saved_ > 0 ? std::optional(memory) : std::nullopt;
  }

  bool is_there(MemoryId memory) const {
    return profile_.first[memory] < reader_ && reader_ <= profile_.last[memory];
  }

  /// A copy of a root from between the fullest position and the reader, kept a little longer.
  std::optional<MemoryId> copy_to_share(ValueId root) const {
    for (MemoryId other = 0; share_ && other < profile_.first.size(); ++other)
      if (table_.memories[other].root == root && table_.memories[other].copy &&
          profile_.fullest < profile_.first[other] && profile_.first[other] < reader_)
        return other;
    return std::nullopt;
  }

  bool is_later_copy(MemoryId memory) const {
    return share_ && memory < profile_.first.size() && table_.memories[memory].copy &&
           profile_.first[memory] != no_step && profile_.first[memory] >= reader_ &&
           made_.contains(table_.memories[memory].root);
  }

  void drop_unread_copies() {
    std::vector<bool> read(table_.memories.size(), false);
    for (size_t at = table_.steps.size(); at-- > 0;) {
      const TimetableStep &step = table_.steps[at];
      if (step.again &&
          std::ranges::none_of(step.writes, [&](MemoryId memory) { return read[memory]; })) {
        table_.steps.erase(table_.steps.begin() + static_cast<std::ptrdiff_t>(at));
        continue;
      }
      for (MemoryId memory : step.reads)
        read[memory] = true;
    }
  }

  Timetable table_;
  const Profile &profile_; // of the table as it was
  const StepFacts &facts_;
  bool share_;
  uint32_t reader_ = no_step;        // position of the first step that reads what is copied
  int64_t saved_ = 0;                // bytes
  size_t open_ = 0;                  // steps whose sources are being looked for
  std::vector<TimetableStep> added_; // before the reader
  std::map<ValueId, MemoryId> made_; // by root
};

Timetable timetable_of(const Graph &graph, const Execution &execution, const StepFacts &facts) {
  Timetable table;
  std::map<ValueId, MemoryId> memories;
  auto memory_of = [&](ValueId root) {
    auto [entry, added] = memories.emplace(root, static_cast<MemoryId>(table.memories.size()));
    if (added)
      table.memories.push_back({root, rounded_size(graph.type(root)).value_or(0), false});
    return entry->second;
  };
  for (uint32_t step = 0; step < execution.steps.size(); ++step) {
    TimetableStep row{step, false, {}, {}};
    for (ValueId root : facts.read(step))
      row.reads.push_back(memory_of(root));
    for (ValueId root : facts.written(step))
      row.writes.push_back(memory_of(root));
    table.steps.push_back(std::move(row));
  }
  return table;
}

class Recomputation {
public:
  Recomputation(const Graph &graph, const Execution &execution)
      : facts_(graph, execution), table_(timetable_of(graph, execution, facts_)),
        profile_(profile_of(table_, facts_)), tried_(execution.steps.size(), false) {
    for (const TimetableMemory &memory : table_.memories)
      largest_ = std::max(largest_, memory.size);
  }

  Timetable run() {
    Timetable best = table_;
    int64_t least = profile_.most();
    while (improve())
      if (profile_.most() < least) {
        least = profile_.most();
        best = table_;
      }
    return best;
  }

private:
  /// Empties the fullest position a little.
  bool improve() {
    for (uint32_t position : candidates()) {
      tried_[table_.steps[position].step] = true;
      for (bool share : {true, false})
        if (accept(Attempt(table_, profile_, facts_, share).repeat(position)))
          return true;
    }
    return false;
  }

  bool accept(std::optional<Timetable> table) {
    if (!table)
      return false;
    Profile profile = profile_of(*table, facts_);
    const size_t full = profile_.fullest; // what has changed comes behind it
    if (profile.most() > profile_.most() || profile.in_use[full] >= profile_.in_use[full])
      return false;
    table_ = std::move(*table);
    profile_ = std::move(profile);
    return true;
  }

  /// Positions of steps whose results are kept over the fullest position, most bytes first.
  std::vector<uint32_t> candidates() const {
    std::vector<std::pair<int64_t, uint32_t>> found;
    for (uint32_t at = 0; at < profile_.fullest; ++at) {
      const TimetableStep &step = table_.steps[at];
      if (step.again || tried_[step.step] || !facts_.repeatable(step.step))
        continue;
      if (const int64_t size = kept_size(step); size > largest_ / least_part)
        found.emplace_back(-size, at);
    }
    std::ranges::sort(found);
    std::vector<uint32_t> positions;
    for (const auto &[size, at] : found)
      positions.push_back(at);
    return positions;
  }

  /// Bytes that lie there at the fullest position for later readers alone.
  int64_t kept_size(const TimetableStep &step) const {
    int64_t size = 0;
    for (MemoryId memory : step.writes) {
      const std::vector<MemoryId> &reads = table_.steps[profile_.fullest].reads;
      if (std::ranges::find(reads, memory) != reads.end())
        return 0;
      if (profile_.last[memory] > profile_.fullest)
        size += table_.memories[memory].size;
    }
    return size;
  }

  StepFacts facts_;
  Timetable table_;
  Profile profile_;
  int64_t largest_ = 0;     // of all memories
  std::vector<bool> tried_; // by step
};

} // namespace

Timetable recompute(const Graph &graph, const Execution &execution) {
  return Recomputation(graph, execution).run();
}

} // namespace cnnc
