// The files of a training state (runtime/cnnc_training.h). What it writes is read by the compiler's own
// reader of safetensors, which shares no code with it, and what that one refuses it refuses, too.
#include "ir/weights/safetensors.h"
#include "runtime/cnnc_training.h"
#include "tests/unit/test_files.h"

#include <array>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <vector>

namespace cnnc {
namespace {

constexpr int64_t weight_shape[] = {2, 3}, bias_shape[] = {3};
constexpr cnnc_state_tensor tensors[] = {
    {"fc.weight", CNNC_F32, 2, weight_shape, 24, 0, 1},
    {"fc.\"b\"\n\xc3\xa9", CNNC_F32, 1, bias_shape, 12, 64, 1},
    {"fc.weight.momentum", CNNC_F32, 2, weight_shape, 24, 128, 0},
    {"step", CNNC_I64, 0, nullptr, 8, 192, 0}};
constexpr cnnc_state_layout layout = {"tiny", 4, tensors, 256};
using State = std::array<unsigned char, 256>;

/// Elements that count up from `first`, and zeros between the tensors.
State state_from(unsigned char first) {
  State state = {};
  for (const cnnc_state_tensor &tensor : tensors)
    for (size_t i = 0; i < tensor.size; ++i)
      state[tensor.offset + i] = static_cast<unsigned char>(first + i);
  return state;
}

std::string safetensors(std::string_view header, std::string_view data) {
  return raw<uint64_t>({header.size()}) + std::string(header) + std::string(data);
}

class TrainingState : public InFolder {
protected:
  std::string path(const char *name = "state.safetensors") const { return folder_ / name; }

  void write_bytes(const std::string &bytes) const {
    std::ofstream(path(), std::ios::binary) << bytes;
  }

  /// Reads the file. The state has changed if and only if that went well.
  cnnc_state_result read(const std::string &file) const {
    State state;
    state.fill(0xaa);
    const State before = state;
    cnnc_state_result result = cnnc_state_read(&layout, state.data(), file.c_str());
    EXPECT_EQ(result.code == CNNC_STATE_OK, state != before);
    EXPECT_EQ(result.code == CNNC_STATE_OK, result.text[0] == 0);
    return result;
  }

  void expect_error(const std::string &bytes, cnnc_state_code code, const char *text) const {
    write_bytes(bytes);
    const cnnc_state_result result = read(path());
    EXPECT_EQ(result.code, code) << bytes << "\n" << result.text;
    EXPECT_NE(std::string(result.text).find(text), std::string::npos) << result.text;
  }
};

TEST_F(TrainingState, ComesBackAsItWas) {
  const State state = state_from(1);
  ASSERT_EQ(cnnc_state_write(&layout, state.data(), path().c_str()).code, CNNC_STATE_OK);
  const std::string first = contents(path());
  ASSERT_EQ(cnnc_state_write(&layout, state.data(), path().c_str()).code, CNNC_STATE_OK);
  EXPECT_EQ(contents(path()), first);
  EXPECT_EQ(files_in_folder(), 1u);
  State again = {};
  cnnc_state_result result = cnnc_state_read(&layout, again.data(), path().c_str());
  EXPECT_EQ(result.code, CNNC_STATE_OK) << result.text;
  EXPECT_EQ(again, state);
  EXPECT_EQ(cnnc_state_find(&layout, "step"), &tensors[3]);
  EXPECT_EQ(cnnc_state_find(&layout, "fc"), nullptr);
}

TEST_F(TrainingState, IsAFileOfWeightsForTheCompiler) {
  const State state = state_from(7);
  ASSERT_EQ(cnnc_state_write(&layout, state.data(), path().c_str()).code, CNNC_STATE_OK);
  std::optional<SafetensorsFile> file = SafetensorsFile::open(path(), diagnostics_);
  ASSERT_TRUE(file) << diagnostics_.to_string();
  ASSERT_EQ(file->tensors().size(), 4u);
  for (const cnnc_state_tensor &tensor : tensors) {
    const SafetensorsTensor *found = find_tensor(file->tensors(), tensor.name);
    ASSERT_TRUE(found) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype == CNNC_I64 ? "I64" : "F32");
    EXPECT_EQ(found->shape, std::vector<int64_t>(tensor.shape, tensor.shape + tensor.rank));
    ASSERT_EQ(found->data.size(), tensor.size);
    EXPECT_EQ(std::memcmp(found->data.data(), state.data() + tensor.offset, tensor.size), 0);
  }
  EXPECT_EQ(contents(path()).substr(8, 1), "{");
  EXPECT_EQ((contents(path()).size() - 24 - 12 - 24 - 8) % 8, 0u);
}

// Weights alone have no momenta, and whoever trained them may have written more beside them.
TEST_F(TrainingState, ReadsWeightsWithoutMomenta) {
  write_bytes(safetensors("{\"__metadata__\":{\"format\":\"pt\",\"a\":\"\\ud83d\\ude00\"} , "
                          "\"other\":{\"data_offsets\":[0,2],"
                          "\"dtype\":\"BF16\",\"shape\":[1,1]},\n\"fc.\\\"b\\\"\\n\\u00e9\":{"
                          "\"dtype\":\"F32\",\"shape\":[3],"
                          "\"data_offsets\":[2,14]},\"fc.weight\":{\"shape\":[2,3],\"dtype\":"
                          "\"F32\",\"data_offsets\":[14,38]}}  ",
                          "xxAAAABBBBCCCC" + std::string(24, 'w')));
  State state;
  state.fill(0xaa);
  cnnc_state_result result = cnnc_state_read(&layout, state.data(), path().c_str());
  ASSERT_EQ(result.code, CNNC_STATE_OK) << result.text;
  EXPECT_EQ(std::memcmp(state.data() + 64, "AAAABBBBCCCC", 12), 0);
  EXPECT_EQ(state[0], 'w');
  EXPECT_EQ(state[128], 0);
  EXPECT_EQ(state[192], 0);
}

TEST_F(TrainingState, SaysWhatIsWrongWithAFile) {
  EXPECT_EQ(read(path("no such file")).code, CNNC_STATE_NO_FILE);
  EXPECT_EQ(read(folder_).code, CNNC_STATE_NOT_SAFETENSORS);
  expect_error("", CNNC_STATE_CUT_SHORT, "0 bytes");
  expect_error(safetensors("{}", "x"), CNNC_STATE_NOT_SAFETENSORS, "last 1 bytes");
  expect_error(safetensors("{}", ""), CNNC_STATE_OTHER_MODEL, "\"fc.weight\" is missing");
  expect_error(raw<uint64_t>({1000}) + "{}", CNNC_STATE_CUT_SHORT, "header");
  expect_error(raw<uint64_t>({~uint64_t(0)}) + "{}", CNNC_STATE_NOT_SAFETENSORS, "header");
  for (
      const char *header :
      {"",
       " {}",
       "[]",
       "{",
       "{}x",
       "{\"a\"}",
       "{\"a\":1}",
       "{\"a\":{}}",
       "{\"__metadata__\":{\"a\":1}}",
       "{\"__metadata__\":{},\"__metadata__\":{}}",
       "{\"a\":{\"dtype\":\"F32\"}}",
       "{\"\x01\":1}",
       "{\"\xff\":1}",
       "{\"\\ud800\":1}",
       "{\"\\x\":1}",
       "{\"a\":{\"dtype\":\"X\",\"shape\":[0],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[00],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0.0],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[1,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"shape\":[0],\"data_offsets\":[0,0]}}",
       "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":1}}",
       R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"})
    expect_error(safetensors(header, ""), CNNC_STATE_NOT_SAFETENSORS, "not a safetensors file");
}

std::string file_of(const char *weight_type, const std::string &more, size_t more_size) {
  return safetensors(
      fmt::format("{{\"fc.weight\":{},\"fc.\\\"b\\\"\\n\\u00e9\":{{\"dtype\":\"F32\",\"shape\":[3],"
                  "\"data_offsets\":[24,36]}}{}}}",
                  weight_type, more),
      std::string(36 + more_size, 'd'));
}

TEST_F(TrainingState, RefusesStatesOfOtherModels) {
  const char *right = "{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}";
  write_bytes(file_of(right, "", 0));
  EXPECT_EQ(read(path()).code, CNNC_STATE_OK);
  expect_error(file_of("{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}", "", 0),
               CNNC_STATE_OTHER_MODEL, "\"fc.weight\" is F32[3, 2], not F32[2, 3]");
  expect_error(file_of("{\"dtype\":\"I32\",\"shape\":[2,3],\"data_offsets\":[0,24]}", "", 0),
               CNNC_STATE_OTHER_MODEL, "I32[2, 3]");
  expect_error(file_of("{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}", "", 0),
               CNNC_STATE_OTHER_MODEL, "F32[6]");
  expect_error(
      file_of(right, ",\"step\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[36,44]}", 8),
      CNNC_STATE_OTHER_MODEL, "it has \"step\", but not \"fc.weight.momentum\"");
  std::string cut = file_of(right, "", 0);
  cut.pop_back();
  expect_error(cut, CNNC_STATE_CUT_SHORT, "ends at byte 36");
}

// What the compiler does not accept as weights is no state either, whichever bytes are wrong.
TEST_F(TrainingState, AcceptsOnlyWhatTheCompilerDoes) {
  const State state = state_from(3);
  ASSERT_EQ(cnnc_state_write(&layout, state.data(), path().c_str()).code, CNNC_STATE_OK);
  const std::string valid = contents(path());
  std::mt19937_64 random(5);
  size_t accepted = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = mutate(valid, random);
    write_bytes(bytes);
    Diagnostics diagnostics;
    const bool fine = parse_safetensors(bytes_of(bytes), "file", diagnostics).has_value();
    const cnnc_state_result result = read(path());
    if (result.code == CNNC_STATE_OK) {
      EXPECT_TRUE(fine) << bytes << diagnostics.to_string();
    }
    if (result.code == CNNC_STATE_NOT_SAFETENSORS) {
      EXPECT_FALSE(fine) << bytes << result.text;
    }
    accepted += result.code == CNNC_STATE_OK;
  }
  EXPECT_GT(accepted, 5u);
}

// A process that writes one state after the other is killed: what is there is one of them.
TEST_F(TrainingState, SurvivesKills) {
  const State states[] = {state_from(0), state_from(100)};
  ASSERT_EQ(cnnc_state_write(&layout, states[0].data(), path().c_str()).code, CNNC_STATE_OK);
  for (int kill_after = 0; kill_after < 20; ++kill_after) {
    const pid_t child = ::fork();
    if (child == 0)
      for (int i = 0;; ++i)
        cnnc_state_write(&layout, states[i % 2].data(), path().c_str());
    ::usleep(static_cast<useconds_t>(kill_after * 531));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    State state;
    const cnnc_state_result result = cnnc_state_read(&layout, state.data(), path().c_str());
    ASSERT_EQ(result.code, CNNC_STATE_OK) << result.text;
    EXPECT_TRUE(state == states[0] || state == states[1]);
    EXPECT_LE(files_in_folder(), 2u);
  }
  ASSERT_EQ(cnnc_state_write(&layout, states[0].data(), path().c_str()).code, CNNC_STATE_OK);
  EXPECT_EQ(files_in_folder(), 1u);
}

TEST_F(TrainingState, LeavesTheOldFileWhenTheDiskIsFull) {
  const State old = state_from(1), next = state_from(2);
  ASSERT_EQ(cnnc_state_write(&layout, old.data(), path().c_str()).code, CNNC_STATE_OK);
  const std::string before = contents(path());
  struct rlimit limit;
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const struct rlimit small = {100, limit.rlim_max};
  auto *handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const cnnc_state_result result = cnnc_state_write(&layout, next.data(), path().c_str());
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(result.code, CNNC_STATE_NO_SPACE) << result.text;
  EXPECT_EQ(contents(path()), before);
  EXPECT_EQ(files_in_folder(), 1u);
  const std::string nowhere = folder_ / "none" / "state";
  EXPECT_EQ(cnnc_state_write(&layout, next.data(), nowhere.c_str()).code, CNNC_STATE_NO_FILE);
}

TEST(TrainingLabels, AreClasses) {
  const int64_t labels[] = {0, 9, 3, -1, 10};
  EXPECT_TRUE(cnnc_labels_are_valid(labels, 3, 10));
  EXPECT_FALSE(cnnc_labels_are_valid(labels, 4, 10));
  EXPECT_FALSE(cnnc_labels_are_valid(labels + 4, 1, 10));
}

} // namespace
} // namespace cnnc
