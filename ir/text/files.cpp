#include "ir/text/files.h"

#include "ir/text/temporary.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace cnnc {
namespace {

std::string system_message(int error) { return std::generic_category().message(error); }

/// Closes its file descriptor.
class Descriptor {
public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;

  int number() const { return number_; }
  bool close() { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

private:
  int number_;
};

/// Returns 0 or errno.
int read_all(int descriptor, std::string &bytes) {
  constexpr size_t first_step = 64 * 1024;
  struct stat status {};
  size_t step = first_step;
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
    step = static_cast<size_t>(status.st_size) + 1; // one more, to see the end in the same buffer
  size_t length = 0;
  while (true) {
    if (length == bytes.size())
      bytes.resize(length + std::max(step, length));
    ssize_t count = ::read(descriptor, bytes.data() + length, bytes.size() - length);
    if (count < 0 && errno != EINTR)
      return errno;
    if (count == 0)
      break;
    if (count > 0)
      length += static_cast<size_t>(count);
    step = first_step;
  }
  bytes.resize(length);
  return 0;
}

/// Returns 0 or errno.
int write_all(int descriptor, std::string_view rest) {
  while (!rest.empty()) {
    ssize_t count = ::write(descriptor, rest.data(), rest.size());
    if (count < 0 && errno != EINTR)
      return errno;
    if (count > 0)
      rest.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

/// What became of the bytes. Not complete without an error: the producer has reported why.
struct Outcome {
  bool complete = false;
  int error = 0; // errno
};

Outcome write_all(int descriptor, const FileProducer &produce) {
  Outcome outcome;
  bool produced = produce([&](std::string_view bytes) {
    if (outcome.error == 0)
      outcome.error = write_all(descriptor, bytes);
    return outcome.error == 0;
  });
  outcome.complete = produced && outcome.error == 0;
  return outcome;
}

/// Closes the file and reports an error of the system, if there was one.
bool finish(Descriptor &file, Outcome outcome, const std::filesystem::path &path,
            Diagnostics &diagnostics) {
  if (!file.close() && outcome.complete)
    outcome = {false, errno};
  if (outcome.error != 0)
    diagnostics.error(
        fmt::format("{}: cannot write: {}", path.string(), system_message(outcome.error)));
  return outcome.complete;
}

bool write_directly(const std::filesystem::path &path, const FileProducer &produce,
                    Diagnostics &diagnostics) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  Outcome outcome = file.number() < 0 ? Outcome{false, errno} : write_all(file.number(), produce);
  return finish(file, outcome, path, diagnostics);
}

bool write_and_rename(const std::filesystem::path &path, const FileProducer &produce,
                      Diagnostics &diagnostics) {
  constexpr std::string_view name = "file";
  TemporaryFolder folder(path, diagnostics);
  if (!folder.valid())
    return false;
  Descriptor file(::open(folder.file(name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  Outcome outcome = file.number() < 0 ? Outcome{false, errno} : write_all(file.number(), produce);
  return finish(file, outcome, folder.output(), diagnostics) &&
         folder.move_to_output(name, diagnostics);
}

} // namespace

std::optional<std::string> read_file(const std::filesystem::path &path, Diagnostics &diagnostics) {
  bool standard_input = path == "-";
  std::string name = standard_input ? "<stdin>" : path.string();
  Descriptor file(standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) {
    diagnostics.error(fmt::format("{}: cannot open: {}", name, system_message(errno)));
    return std::nullopt;
  }
  std::string bytes;
  if (int error = read_all(file.number(), bytes)) {
    diagnostics.error(fmt::format("{}: cannot read: {}", name, system_message(error)));
    return std::nullopt;
  }
  return bytes;
}

bool write_file_atomically(const std::filesystem::path &path, const FileProducer &produce,
                           Diagnostics &diagnostics) {
  if (path == "-") {
    std::fflush(stdout); // keeps the order with what was printed before
    Outcome outcome = write_all(STDOUT_FILENO, produce);
    if (outcome.error != 0)
      diagnostics.error(fmt::format("<stdout>: cannot write: {}", system_message(outcome.error)));
    return outcome.complete;
  }
  std::error_code ignored;
  auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::is_directory(status) || !path.has_filename()) {
    diagnostics.error(fmt::format("{}: cannot write: is a directory", path.string()));
    return false;
  }
  if (std::filesystem::is_other(status))
    return write_directly(path, produce, diagnostics);
  return write_and_rename(path, produce, diagnostics);
}

bool write_file_atomically(const std::filesystem::path &path,
                           std::span<const std::string_view> pieces, Diagnostics &diagnostics) {
  auto produce = [&](const FileSink &sink) {
    return std::all_of(pieces.begin(), pieces.end(), sink);
  };
  return write_file_atomically(path, produce, diagnostics);
}

bool write_file_atomically(const std::filesystem::path &path, std::string_view bytes,
                           Diagnostics &diagnostics) {
  return write_file_atomically(path, std::span(&bytes, 1), diagnostics);
}

} // namespace cnnc
