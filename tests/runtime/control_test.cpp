#include "runtime/control.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::HasSubstr;

namespace {

// Deep enough that its name would not fit a socket's address.
std::filesystem::path deep_folder() {
  auto result = std::filesystem::path{testing::TempDir()} / std::string(60, 'a')
                / std::string(60, 'b')
                / testing::UnitTest::GetInstance()->current_test_info()->name();
  std::filesystem::create_directories(result);
  return result;
}

} // namespace

TEST(control, a_request_is_answered_however_long_the_folders_name_is) {
  auto server = control_server::open(deep_folder(), [](const std::string& x) { return "re: " + x; });
  ASSERT_TRUE(server) << describe(server.error());
  EXPECT_EQ(*control_request(deep_folder(), "apply x.yaml"), "re: apply x.yaml");
  EXPECT_EQ(*control_request(deep_folder(), "again"), "re: again");
}

TEST(control, a_folder_without_a_live_run_says_how_to_go_on) {
  auto folder = deep_folder();
  {
    auto server = control_server::open(folder, [](const std::string&) { return "x"; });
    ASSERT_TRUE(server);
  }
  auto x = control_request(folder, "apply");
  ASSERT_FALSE(x);
  EXPECT_EQ(x.error(), errc::user_error);
  EXPECT_THAT(describe(x.error()), HasSubstr("lathe run --resume"));
}

TEST(control, no_folder_is_no_run) {
  auto x = control_request("/nowhere/at/all", "apply");
  ASSERT_FALSE(x);
  EXPECT_THAT(describe(x.error()), HasSubstr("there is no run"));
}
