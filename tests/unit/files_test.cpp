// Files in and out: whole, renamed into place, or through the standard streams.
#include "ir/text/files.h"

#include "tests/unit/test_files.h"

#include <array>
#include <vector>

namespace cnnc {
namespace {

using Files = InFolder;

TEST_F(Files, RoundTripAndReplace) {
  fs::path path = folder_ / "file";
  std::string large(300'000, 'x');
  large[5] = '\0';
  for (const std::string &text : {std::string("one"), large, std::string()}) {
    ASSERT_TRUE(write_file_atomically(path, text, diagnostics_));
    EXPECT_EQ(read_file(path, diagnostics_), text);
  }
  std::array<std::string_view, 3> pieces = {"a", "", "bc"};
  ASSERT_TRUE(write_file_atomically(path, pieces, diagnostics_));
  EXPECT_EQ(contents(path), "abc");
  EXPECT_EQ(files_in_folder(), 1u);
  EXPECT_FALSE(diagnostics_.has_errors());
}

TEST_F(Files, BytesMadeOnTheWay) {
  fs::path path = folder_ / "file";
  auto produce = [](const FileSink &sink) { return sink("ab") && sink("") && sink("c"); };
  ASSERT_TRUE(write_file_atomically(path, produce, diagnostics_));
  EXPECT_EQ(contents(path), "abc");
  auto give_up = [](const FileSink &sink) { return sink("new") && false; };
  EXPECT_FALSE(write_file_atomically(path, give_up, diagnostics_));
  EXPECT_EQ(contents(path), "abc");
  EXPECT_EQ(files_in_folder(), 1u);
  EXPECT_FALSE(diagnostics_.has_errors()); // the producer is to report why
  auto write_twice = [](const FileSink &sink) {
    EXPECT_FALSE(sink("text"));
    EXPECT_FALSE(sink("text"));
    return true;
  };
  EXPECT_FALSE(write_file_atomically("/dev/full", write_twice, diagnostics_));
  EXPECT_EQ(diagnostics_.error_count(), 1u);
}

TEST_F(Files, FollowsLinks) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "old", diagnostics_));
  fs::create_symlink("file", folder_ / "link");
  ASSERT_TRUE(write_file_atomically(folder_ / "link", "new", diagnostics_));
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(contents(folder_ / "file"), "new");
}

TEST_F(Files, DevicesStayDevices) {
  EXPECT_TRUE(write_file_atomically("/dev/null", "gone", diagnostics_));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(read_file("/dev/null", diagnostics_), "");
}

TEST_F(Files, DeviceErrorsAreReported) {
  EXPECT_FALSE(write_file_atomically("/dev/full", "text", diagnostics_));
  EXPECT_EQ(diagnostics_.all().at(0).message, "/dev/full: cannot write: No space left on device");
}

TEST_F(Files, StandardStreams) {
  fs::path path = folder_ / "file";
  {
    Redirect redirect(STDOUT_FILENO, path, O_WRONLY | O_CREAT);
    EXPECT_TRUE(write_file_atomically("-", "through stdout", diagnostics_));
  }
  EXPECT_EQ(contents(path), "through stdout");
  Redirect redirect(STDIN_FILENO, path, O_RDONLY);
  EXPECT_EQ(read_file("-", diagnostics_), "through stdout");
}

TEST_F(Files, Errors) {
  fs::path missing = folder_ / "missing";
  EXPECT_FALSE(read_file(missing, diagnostics_));
  EXPECT_FALSE(read_file(folder_, diagnostics_));
  EXPECT_FALSE(write_file_atomically(missing / "file", "text", diagnostics_));
  EXPECT_FALSE(write_file_atomically(folder_, "text", diagnostics_));
  EXPECT_FALSE(write_file_atomically("", "text", diagnostics_));
  const std::vector<std::string> expected = {
      missing.string() + ": cannot open: No such file or directory",
      folder_.string() + ": cannot read: Is a directory",
      (missing / "file").string() + ": cannot create: No such file or directory",
      folder_.string() + ": cannot write: is a directory", ": cannot write: is a directory"};
  ASSERT_EQ(diagnostics_.all().size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(diagnostics_.all()[i].message, expected[i]);
  EXPECT_EQ(files_in_folder(), 0u);
}

} // namespace
} // namespace cnnc
