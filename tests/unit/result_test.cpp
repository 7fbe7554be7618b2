// What a Result does that nobody has asked whether it is an error.
#include "compiler/cnnc.h"

#include <gtest/gtest.h>

namespace cnnc {
namespace {

TEST(ResultDeathTest, AnErrorThatIsUsedIsPrinted) {
  Result<Model> model = load("/no/such/file.ir");
  EXPECT_FALSE(model);
  EXPECT_DEATH((void)*model, "/no/such/file.ir.*\n.*this result was used, but it is an error");
  EXPECT_DEATH((void)model->names(), "/no/such/file.ir");
}

TEST(Result, ValuesAreUsed) {
  Result<Model> model = parse("model @m(%x: f32[1]) { return %x }");
  ASSERT_TRUE(model) << model.error();
  EXPECT_EQ(model->names(), std::vector<std::string>{"m"});
}

} // namespace
} // namespace cnnc
