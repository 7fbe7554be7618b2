// Tensors by name that another program has computed.
#pragma once

#include "compiler/driver/zip_file.h"
#include "ir/weights/npy.h"

#include <map>
#include <optional>

namespace cnnc::driver {

/// The .npy files of a folder, or those in a .npz file. A tensor has the name of its file without
/// .npy; where the name of a value has a slash, the file has it, too (in a .npz file), or '_'.
class ReferenceTensors {
public:
  static Result<ReferenceTensors> open(const std::filesystem::path &path);

  /// Names, sorted.
  std::vector<std::string> names() const;
  /// Under which name the tensor of a value is there; nothing when it is not.
  std::optional<std::string> find(const std::string &value) const;
  /// Bytes that reading it takes.
  uint64_t size_of(const std::string &name) const { return sizes_.at(name); }
  Result<NpyArray> read(const std::string &name) const;
  /// For messages.
  std::string describe(const std::string &name) const;

private:
  std::filesystem::path path_;
  std::optional<ZipFile> archive_;        // else path_ is a folder
  std::map<std::string, uint64_t> sizes_; // of files
};

} // namespace cnnc::driver
