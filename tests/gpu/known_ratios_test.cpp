#include "gpu/known_ratios.hpp"

#include <gtest/gtest.h>

using lathe::gpu::is_same_eager;

TEST(known_ratios, eager_is_the_same_within_three_percent) {
  EXPECT_TRUE(is_same_eager(1e-3, 1e-3));
  EXPECT_TRUE(is_same_eager(1e-3, 1.029e-3));
  EXPECT_TRUE(is_same_eager(1.029e-3, 1e-3));
  EXPECT_FALSE(is_same_eager(1e-3, 1.031e-3));
  EXPECT_FALSE(is_same_eager(1.031e-3, 1e-3));
}

TEST(known_ratios, a_time_that_was_not_kept_is_no_time) {
  EXPECT_FALSE(is_same_eager(0, 1e-3));
}
