// Files on their way: what is being written lies in a folder of its own beside the output, and is
// moved into place when it is complete.
#pragma once

#include "ir/text/diagnostics.h"

#include <filesystem>

namespace cnnc {

/// A folder `.cnnc-PROCESS-NUMBER.tmp` in that of the output, so that finished files only need a
/// rename. It is removed at the end with all that is left in it. Folders that killed processes left
/// behind there are removed on the way.
class TemporaryFolder {
public:
  /// A link is followed, also to a file that does not exist yet. Reports an error that begins with
  /// the path when there can be no folder; it is then not valid.
  TemporaryFolder(const std::filesystem::path &output, Diagnostics &diagnostics);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  bool valid() const { return !path_.empty(); }
  /// Behind links.
  const std::filesystem::path &output() const { return output_; }
  std::filesystem::path file(std::string_view name) const { return path_ / name; }
  /// Moves a file of the folder to the output, which it replaces.
  bool move_to_output(std::string_view name, Diagnostics &diagnostics) const;

private:
  std::filesystem::path output_, path_;
  int lock_ = -1; // held as long as the folder is in use
};

/// Removes the folders of all that are alive in this process, which is about to end by a signal.
void remove_temporary_folders();

} // namespace cnnc
