#include "ir/text/mapped_file.h"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace cnnc {

std::optional<MappedFile> MappedFile::open(const std::filesystem::path &path,
                                           Diagnostics &diagnostics) {
  auto fail = [&](std::string_view what) {
    diagnostics.error(fmt::format("{}: {}", path.string(), what));
    return std::nullopt;
  };
  auto reason = [] { return std::generic_category().message(errno); };
  // O_NONBLOCK: a pipe without a writer is to be refused, not waited for.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return fail("cannot open: " + reason());
  struct stat status {};
  void *address = MAP_FAILED;
  std::string problem;
  if (::fstat(descriptor, &status) != 0)
    problem = "cannot read: " + reason();
  else if (!S_ISREG(status.st_mode))
    problem = "not a regular file";
  else if (status.st_size == 0)
    problem = "the file is empty";
  else if (address = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE,
                            descriptor, 0);
           address == MAP_FAILED)
    problem = "cannot map into memory: " + reason();
  ::close(descriptor);
  if (!problem.empty())
    return fail(problem);
  return MappedFile({static_cast<const std::byte *>(address), static_cast<size_t>(status.st_size)});
}

MappedFile::~MappedFile() {
  if (!bytes_.empty())
    ::munmap(const_cast<std::byte *>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile &&other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

} // namespace cnnc
