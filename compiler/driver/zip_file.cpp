#include "compiler/driver/zip_file.h"

#include <algorithm>
#include <fmt/format.h>
#include <minizip/unzip.h>

namespace cnnc::driver {

namespace {

constexpr int as_it_is_spelt = 1; // upper and lower case, for minizip

} // namespace

Result<ZipFile> ZipFile::open(const std::filesystem::path &path) {
  ZipFile file;
  file.path_ = path;
  file.archive_ = {unzOpen64(path.c_str()), [](unzFile archive) {
                     if (archive)
                       unzClose(archive);
                   }};
  if (!file.archive_)
    return Error{fmt::format("{}: error: cannot be read as a zip archive, which .npz files are\n",
                             path.string())};
  unzFile archive = file.archive_.get();
  for (int found = unzGoToFirstFile(archive); found == UNZ_OK; found = unzGoToNextFile(archive)) {
    unz_file_info64 info = {};
    unzGetCurrentFileInfo64(archive, &info, nullptr, 0, nullptr, 0, nullptr, 0);
    std::string name(info.size_filename, '\0');
    unzGetCurrentFileInfo64(archive, nullptr, name.data(), name.size(), nullptr, 0, nullptr, 0);
    file.sizes_[name] = info.uncompressed_size;
  }
  return file;
}

Result<std::string> ZipFile::read(const std::string &name) const {
  constexpr size_t piece = size_t(1) << 20; // sizes that files state are not to be trusted
  unzFile archive = archive_.get();
  bool good = unzLocateFile(archive, name.c_str(), as_it_is_spelt) == UNZ_OK &&
              unzOpenCurrentFile(archive) == UNZ_OK;
  std::string bytes;
  for (int count = 1; good && count > 0;) {
    const size_t before = bytes.size();
    bytes.resize(before + piece);
    count = unzReadCurrentFile(archive, bytes.data() + before, static_cast<unsigned>(piece));
    bytes.resize(before + static_cast<size_t>(std::max(count, 0)));
    good = count >= 0 && bytes.size() <= sizes_.at(name);
  }
  good = unzCloseCurrentFile(archive) == UNZ_OK && good && bytes.size() == sizes_.at(name);
  if (!good)
    return Error{fmt::format("{}: error: {} in this archive is damaged\n", path_.string(), name)};
  return bytes;
}

} // namespace cnnc::driver
