#include "llm_clients/retry_policy.hpp"

#include <gtest/gtest.h>

using namespace std::chrono_literals;
using namespace lathe::llm_clients;

namespace {

const retry_policy policy{4, 1s, 3s, 60s};

} // namespace

TEST(retry_policy, the_longest_wait_doubles_up_to_the_cap) {
  constexpr double almost_one = 0.999999;
  EXPECT_EQ(next_wait(policy, 1, 0ms, almost_one), 999ms);
  EXPECT_EQ(next_wait(policy, 2, 0ms, almost_one), 1999ms);
  EXPECT_EQ(next_wait(policy, 3, 0ms, almost_one), 2999ms);
}

TEST(retry_policy, jitter_is_full) {
  EXPECT_EQ(next_wait(policy, 2, 0ms, 0.0), 0ms);
  EXPECT_EQ(next_wait(policy, 2, 0ms, 0.5), 1000ms);
}

TEST(retry_policy, attempts_are_bounded) {
  EXPECT_TRUE(next_wait(policy, 3, 0ms, 0.5));
  EXPECT_FALSE(next_wait(policy, 4, 0ms, 0.5));
}

TEST(retry_policy, what_the_server_asks_for_is_waited_in_full) {
  EXPECT_EQ(next_wait(policy, 1, 20s, 0.5), 20s + 500ms);
  EXPECT_EQ(next_wait(policy, 1, 60s, 0.0), 60s);
}

TEST(retry_policy, a_server_that_asks_for_too_long_is_given_up) {
  EXPECT_FALSE(next_wait(policy, 1, 61s, 0.0));
}

TEST(retry_policy, many_failures_do_not_overflow) {
  EXPECT_EQ(next_wait({5000, 1s, 3s, 60s}, 4000, 0ms, 0.5), 1500ms);
}
