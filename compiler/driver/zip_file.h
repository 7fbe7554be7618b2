// Zip archives, such as NumPy's .npz files.
#pragma once

#include "compiler/cnnc.h"

#include <map>

namespace cnnc::driver {

/// An archive whose files are read one at a time, stored or deflated.
class ZipFile {
public:
  static Result<ZipFile> open(const std::filesystem::path &path);

  /// Names of the files, and the bytes that each says it has.
  const std::map<std::string, uint64_t> &sizes() const { return sizes_; }
  /// All of a file. An error when it is damaged, or not as long as it says.
  Result<std::string> read(const std::string &name) const;

private:
  std::filesystem::path path_;
  std::shared_ptr<void> archive_;
  std::map<std::string, uint64_t> sizes_;
};

} // namespace cnnc::driver
