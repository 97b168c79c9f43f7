#include "tools/llm_server/rate_limit.hpp"

#include <gtest/gtest.h>

using namespace lathe::llm_server;
using namespace std::chrono_literals;

namespace {

const rate_limit::clock::time_point start{};

} // namespace

TEST(rate_limit, a_full_bucket_goes_at_once) {
  rate_limit limit{3, start};
  for (auto remaining : {2u, 1u, 0u}) {
    auto verdict = limit.ask(start);
    EXPECT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.limit, 3u);
    EXPECT_EQ(verdict.remaining, remaining);
  }
  auto refused = limit.ask(start);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0u);
  EXPECT_DOUBLE_EQ(refused.retry_after.count(), 20);
  EXPECT_DOUBLE_EQ(refused.reset.count(), 60);
}

TEST(rate_limit, it_fills_up_evenly) {
  rate_limit limit{60, start};
  for (auto i = 0; i < 60; ++i)
    EXPECT_TRUE(limit.ask(start).allowed);
  EXPECT_FALSE(limit.ask(start + 900ms).allowed);
  EXPECT_TRUE(limit.ask(start + 1001ms).allowed);
  EXPECT_FALSE(limit.ask(start + 1100ms).allowed);
}

TEST(rate_limit, it_is_full_again_after_its_reset_and_never_more_than_full) {
  rate_limit limit{2, start};
  EXPECT_TRUE(limit.full(start));
  auto reset = limit.ask(start).reset;
  EXPECT_FALSE(limit.full(start + 29s));
  EXPECT_TRUE(limit.full(start + std::chrono::ceil<std::chrono::nanoseconds>(reset)));
  EXPECT_EQ(limit.ask(start + 1h).remaining, 1u);
}

TEST(rate_limit, the_time_of_a_reset_is_written_as_openai_does) {
  EXPECT_EQ(reset_text(20ms), "20ms");
  EXPECT_EQ(reset_text(7500ms), "7.5s");
  EXPECT_EQ(reset_text(1s), "1s");
  EXPECT_EQ(reset_text(60s), "1m0s");
  EXPECT_EQ(reset_text(90500ms), "1m30.5s");
}
