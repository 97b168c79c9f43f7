#include "llm_clients/cancellation.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

using lathe::llm_clients::cancellation;

TEST(cancellation, tells_once_whenever_it_was_asked_to) {
  auto told = 0;
  cancellation early;
  early.on_cancel([&] { ++told; });
  EXPECT_FALSE(early.cancelled());
  early.cancel();
  early.cancel();
  EXPECT_TRUE(early.cancelled());
  EXPECT_EQ(told, 1);
  early.on_cancel([&] { ++told; });
  EXPECT_EQ(told, 2) << "it was cancelled before";
}

TEST(cancellation, whoever_comes_first_is_told_once) {
  for (int round = 0; round < 500; ++round) {
    cancellation x;
    std::atomic<int> told = 0;
    std::thread other{[&] { x.cancel(); }};
    x.on_cancel([&] { ++told; });
    other.join();
    ASSERT_EQ(told, 1);
  }
}
