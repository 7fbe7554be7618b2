#include "compiler/driver/reduce.h"

#include "compiler/api/session.h"
#include "compiler/driver/shell_command.h"
#include "ir/text/files.h"
#include "ir/text/temporary.h"

#include <fmt/format.h>
#include <iostream>

namespace cnnc::driver {

namespace {

namespace fs = std::filesystem;

/// Each candidate as the file that the command is run on, and the best as the file of -o.
class CandidateFiles {
public:
  explicit CandidateFiles(const CommandLine &line)
      : line_(line), folder_(fs::temp_directory_path(ignored_) / "reduce.ir", diagnostics_),
        had_weights_(fs::exists(weights_of(line.output), ignored_)) {
    if (!folder_.valid())
      failure_ = Error{diagnostics_.to_string()};
  }

  /// Whether the command succeeds. False, too, after something that has nothing to do with it.
  bool test(const Model &model) {
    if (failure_)
      return false;
    fs::remove(weights_of(candidate()), ignored_);
    if (!note(write_ir(model, candidate())))
      return false;
    const auto limit = std::chrono::duration<double>(line_.test_timeout);
    Result<CommandEnd> end = run_command(
        command(), std::chrono::duration_cast<std::chrono::milliseconds>(limit), printed());
    if (!end) {
      failure_ = Error{std::string(end.error())};
      return false;
    }
    ++runs_;
    last_ = *end;
    return last_.succeeded() && (line_.output.empty() || line_.output == "-" || keep(model));
  }

  const std::optional<Error> &failure() const { return failure_; }
  size_t runs() const { return runs_; }

  /// How the last run ended, and what it printed.
  std::string describe_last() const {
    constexpr size_t most_shown = 2000;
    std::string how = last_.timed_out ? fmt::format("was killed after {:g} seconds, the limit that "
                                                    "--test-timeout sets",
                                                    line_.test_timeout)
                      : last_.signal != 0 ? fmt::format("was ended by signal {}", last_.signal)
                                          : fmt::format("gave exit code {}", last_.exit_code);
    Diagnostics ignored;
    std::string output = read_file(printed(), ignored).value_or("");
    if (output.size() > most_shown)
      output = ".." + output.substr(output.size() - most_shown);
    return fmt::format("the command {}; it must give 0 where the bug shows; it printed:\n{}", how,
                       output.empty() ? "(nothing)\n" : output);
  }

private:
  static fs::path weights_of(const fs::path &text) {
    return fs::path(text).replace_extension(".safetensors");
  }
  fs::path candidate() const { return folder_.file("reduce.ir"); }
  fs::path printed() const { return folder_.file("printed"); }

  /// The file in place of {}, or behind the command.
  std::string command() const {
    const std::string file = shell_quoted(candidate().string());
    std::string result = line_.test;
    size_t place = result.find("{}");
    if (place == std::string::npos)
      return result + " " + file;
    for (; place != std::string::npos; place = result.find("{}", place + file.size()))
      result.replace(place, 2, file);
    return result;
  }

  bool keep(const Model &model) {
    if (!had_weights_) // those of a larger model
      fs::remove(weights_of(line_.output), ignored_);
    return note(write_ir(model, line_.output));
  }

  bool note(const Result<void> &written) {
    if (!written)
      failure_ = Error{std::string(written.error())};
    return !failure_;
  }

  const CommandLine &line_;
  std::error_code ignored_; // what cannot be looked at or removed shows when it is written
  Diagnostics diagnostics_;
  TemporaryFolder folder_;
  bool had_weights_; // a file beside -o that is not ours
  std::optional<Error> failure_;
  CommandEnd last_;
  size_t runs_ = 0;
};

/// To standard output, where no weights can be.
Result<void> print(const Model &model) {
  if (!model.content().tensors->tensors.empty())
    std::cerr << "the bug needs weights, which only -o small.ir writes, beside the text\n";
  Options unchanged;
  unchanged.passes.emplace();
  Result<std::string> text = emit(model, Stage::graph, unchanged);
  if (!text)
    return Error{std::string(text.error())};
  Diagnostics diagnostics;
  if (!write_file_atomically("-", *text, diagnostics))
    return Error{diagnostics.to_string()};
  return {};
}

} // namespace

Result<void> reduce(const CommandLine &line, const Model &model) {
  CandidateFiles files(line);
  Result<Model> smallest = cnnc::reduce(
      model, [&](const Model &candidate) { return files.test(candidate); }, line.options);
  if (files.failure())
    return *files.failure();
  if (!smallest && files.runs() == 1)
    return Error{std::string(smallest.error()) + files.describe_last()};
  if (!smallest)
    return Error{std::string(smallest.error())};
  return line.output.empty() || line.output == "-" ? print(*smallest) : Result<void>();
}

} // namespace cnnc::driver
