// What the tests of files share: folders, redirected streams, bytes.
#pragma once

#include "ir/text/diagnostics.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <initializer_list>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>

namespace cnnc {

namespace fs = std::filesystem;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <typename Element> std::string raw(std::initializer_list<Element> values) {
  return {reinterpret_cast<const char *>(values.begin()), values.size() * sizeof(Element)};
}

/// A fresh folder, removed at the end.
class InFolder : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cnnc-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  size_t files_in_folder() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  std::string contents(const fs::path &path) const {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  fs::path folder_;
  Diagnostics diagnostics_;
};

/// Puts another file in the place of standard input or output while it lives.
class Redirect {
public:
  Redirect(int number, const fs::path &path, int flags) : number_(number), saved_(::dup(number)) {
    std::fflush(stdout);
    int file = ::open(path.c_str(), flags, 0600);
    ::dup2(file, number_);
    ::close(file);
  }
  ~Redirect() {
    std::fflush(stdout);
    ::dup2(saved_, number_);
    ::close(saved_);
  }

private:
  int number_, saved_;
};

/// A mutation of `valid`: some bytes changed, or cut short, or both.
inline std::string mutate(const std::string &valid, std::mt19937_64 &random) {
  std::string bytes = valid;
  if (random() % 4 == 0)
    bytes.resize(random() % (bytes.size() + 1));
  for (uint64_t flips = 1 + random() % 4; flips > 0 && !bytes.empty(); --flips)
    bytes[random() % bytes.size()] = static_cast<char>(random());
  return bytes;
}

} // namespace cnnc
