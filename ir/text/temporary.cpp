#include "ir/text/temporary.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <mutex>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace cnnc {
namespace {

namespace fs = std::filesystem;

/// The folders that are alive. Removed ones are taken out first, so that nobody else's are touched.
struct Alive {
  std::mutex mutex;
  std::set<fs::path> folders;
};
Alive &alive() {
  static Alive *folders = new Alive; // outlives threads that end with the process
  return *folders;
}

/// An open folder that no other process holds, or -1.
int lock_folder(const fs::path &folder) {
  int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0 && ::flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    ::close(std::exchange(descriptor, -1));
  return descriptor;
}

/// Whether the name is that of a folder whose process is gone.
bool is_abandoned(const fs::path &folder) {
  int process = 0, number = 0, length = 0;
  const std::string name = folder.filename().string();
  if (std::sscanf(name.c_str(), ".cnnc-%d-%d.tmp%n", &process, &number, &length) != 2 ||
      static_cast<size_t>(length) != name.size() || process < 1)
    return false;
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

/// A process on another machine may still hold a folder whose process is not known here.
void remove_abandoned(const fs::path &where) {
  std::error_code ignored;
  for (fs::directory_iterator entry(where, ignored), end; entry != end; entry.increment(ignored)) {
    if (!is_abandoned(entry->path()))
      continue;
    const int lock = lock_folder(entry->path());
    if (lock < 0)
      continue;
    fs::remove_all(entry->path(), ignored);
    ::close(lock);
  }
}

/// A new folder, or an empty path with errno.
fs::path create_folder(const fs::path &where) {
  constexpr int attempts = 1000;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    fs::path folder = where / fmt::format(".cnnc-{}-{}.tmp", ::getpid(), attempt);
    if (::mkdir(folder.c_str(), 0700) == 0)
      return folder;
    if (errno != EEXIST)
      break;
  }
  return {};
}

fs::path output_behind_links(const fs::path &path) {
  constexpr int most_links = 40; // as many as the system follows
  fs::path target = path;
  std::error_code error;
  for (int i = 0; i < most_links && fs::is_symlink(target, error); ++i) {
    fs::path next = fs::read_symlink(target, error);
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target;
}

} // namespace

TemporaryFolder::TemporaryFolder(const fs::path &output, Diagnostics &diagnostics)
    : output_(output_behind_links(output)) {
  fs::path where = output_.parent_path();
  if (where.empty())
    where = ".";
  remove_abandoned(where);
  std::lock_guard guard(alive().mutex);
  path_ = create_folder(where);
  if (path_.empty()) {
    diagnostics.error(fmt::format("{}: cannot create: {}", output.string(),
                                  std::generic_category().message(errno)));
    return;
  }
  lock_ = lock_folder(path_);
  alive().folders.insert(path_);
}

TemporaryFolder::~TemporaryFolder() {
  if (!valid())
    return;
  std::error_code ignored;
  std::lock_guard guard(alive().mutex);
  fs::remove_all(path_, ignored);
  alive().folders.erase(path_);
  if (lock_ >= 0)
    ::close(lock_);
}

bool TemporaryFolder::move_to_output(std::string_view name, Diagnostics &diagnostics) const {
  if (::rename(file(name).c_str(), output_.c_str()) == 0)
    return true;
  diagnostics.error(fmt::format("{}: cannot write: {}", output_.string(),
                                std::generic_category().message(errno)));
  return false;
}

void remove_temporary_folders() {
  std::error_code ignored;
  alive().mutex.lock(); // for good: no new ones while the process ends
  for (const fs::path &folder : alive().folders)
    fs::remove_all(folder, ignored);
}

} // namespace cnnc
