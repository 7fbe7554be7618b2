#include "compiler/driver/reference_tensors.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc::driver {

namespace {

constexpr std::string_view extension = ".npy";

std::string without_extension(const std::string &file) {
  return file.substr(0, file.size() - extension.size());
}

} // namespace

Result<ReferenceTensors> ReferenceTensors::open(const std::filesystem::path &path) {
  ReferenceTensors tensors;
  tensors.path_ = path;
  std::error_code problem;
  if (!std::filesystem::exists(path, problem))
    return Error{fmt::format("{}: error: there is no such folder or file\n", path.string())};
  if (!std::filesystem::is_directory(path, problem)) {
    Result<ZipFile> archive = ZipFile::open(path);
    if (!archive)
      return Error{std::string(archive.error())};
    for (const auto &[file, size] : archive->sizes())
      if (file.ends_with(extension))
        tensors.sizes_[without_extension(file)] = size;
    tensors.archive_ = std::move(*archive);
    return tensors;
  }
  for (std::filesystem::directory_iterator entry(path, problem), end; entry != end;
       entry.increment(problem))
    if (entry->path().extension() == extension && entry->is_regular_file(problem))
      tensors.sizes_[entry->path().stem().string()] = entry->file_size(problem);
  return tensors;
}

std::vector<std::string> ReferenceTensors::names() const {
  std::vector<std::string> names;
  for (const auto &[name, size] : sizes_)
    names.push_back(name);
  return names;
}

std::optional<std::string> ReferenceTensors::find(const std::string &value) const {
  if (sizes_.contains(value))
    return value;
  std::string name = value;
  std::ranges::replace(name, '/', '_');
  return sizes_.contains(name) ? std::optional(name) : std::nullopt;
}

Result<NpyArray> ReferenceTensors::read(const std::string &name) const {
  Diagnostics diagnostics;
  std::optional<NpyArray> array;
  if (archive_) {
    Result<std::string> bytes = archive_->read(name + std::string(extension));
    if (!bytes)
      return Error{std::string(bytes.error())};
    array = parse_npy(std::as_bytes(std::span(*bytes)), describe(name), diagnostics);
  } else {
    array = read_npy(path_ / (name + std::string(extension)), diagnostics);
  }
  if (!array)
    return Error{diagnostics.to_string()};
  return std::move(*array);
}

std::string ReferenceTensors::describe(const std::string &name) const {
  return (path_ / (name + std::string(extension))).string();
}

} // namespace cnnc::driver
