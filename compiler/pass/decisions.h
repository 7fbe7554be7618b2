// Why a policy decides as it does: what it considered, what each way would cost, what spoke for the
// one that it took. A policy tells a Recorder, which keeps nothing, and formats nothing, unless
// somebody listens:
//
//   Record record = recorder.question("tile", "loads per multiply-add");
//   for (..)
//     record.candidate(text("oc:{}, ow:{}", channels, pixels), loads);
//   record.choose(text("oc:{}, ow:{}", ..), "the fewest loads of those that fit the registers");
//
//   recorder.note("prefetch", "none", "every weight is read many times");
#pragma once

#include <concepts>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnnc {

struct Decision {
  /// One of the ways that a policy compared.
  struct Candidate {
    std::string choice;
    std::optional<double> cost; // in the unit of the decision; none where it was left out before
    std::string note;           // why, or what the cost consists of; may be empty
  };
  std::string pass, subject; // whose policy it is, and the kernel or value that it is about
  std::string question;      // "algorithm", "layout", "fusion", "tile", "order" ...
  std::string chosen, reason;
  std::string unit;                  // of the costs; empty where there are none
  std::vector<Candidate> candidates; // empty where a rule decides
};

using DecisionLog = std::vector<Decision>;

/// A text for a recorder, formatted only when somebody listens. Refers to its arguments: it lives no
/// longer than the call that it is an argument of.
template <class... Arguments>
auto text(fmt::format_string<const Arguments &...> format, const Arguments &...arguments) {
  return [format, &arguments...] { return fmt::format(format, arguments...); };
}

/// The text of a recorder's argument: a string, or what text() makes.
template <class Text> std::string spelt(const Text &text) {
  if constexpr (std::invocable<const Text &>)
    return text();
  else
    return std::string(std::string_view(text));
}

/// A decision while it is made. It is in the log once it has been taken.
class Record {
public:
  explicit Record(DecisionLog *log) : log_(log) {}
  Record(DecisionLog *log, Decision decision) : log_(log), decision_(std::move(decision)) {}

  template <class Choice, class Note = std::string_view>
  void candidate(const Choice &choice, double cost, const Note &note = "") {
    if (log_)
      decision_.candidates.push_back({spelt(choice), cost, spelt(note)});
  }
  /// A way that was not open, and why.
  template <class Choice, class Why> void left_out(const Choice &choice, const Why &why) {
    if (log_)
      decision_.candidates.push_back({spelt(choice), std::nullopt, spelt(why)});
  }
  template <class Choice, class Reason> void choose(const Choice &choice, const Reason &reason) {
    if (!log_)
      return;
    decision_.chosen = spelt(choice);
    decision_.reason = spelt(reason);
    log_->push_back(decision_);
  }

private:
  DecisionLog *log_;
  Decision decision_;
};

/// Takes down what one pass decides about one kernel or value, if somebody listens. Refers to the
/// names that it is given.
class Recorder {
public:
  Recorder() = default;
  Recorder(DecisionLog *log, std::string_view pass, std::string_view subject)
      : log_(log), pass_(pass), subject_(subject) {}

  /// A decision between candidates, whose costs have this unit.
  Record question(std::string_view question, std::string_view unit = "") const {
    if (!log_)
      return Record(nullptr);
    return {log_,
            {std::string(pass_),
             std::string(subject_),
             std::string(question),
             {},
             {},
             std::string(unit),
             {}}};
  }
  /// A decision that a rule has taken.
  template <class Choice, class Reason>
  void note(std::string_view question, const Choice &choice, const Reason &reason) const {
    this->question(question).choose(choice, reason);
  }

private:
  DecisionLog *log_ = nullptr;
  std::string_view pass_, subject_;
};

} // namespace cnnc
