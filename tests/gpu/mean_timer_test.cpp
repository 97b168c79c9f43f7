#include "gpu/mean_timer.hpp"

#include <gtest/gtest.h>

#include <cmath>

using lathe::gpu::ratio_of_means;

TEST(mean_timer, the_speedup_is_the_ratio_of_means_outliers_included) {
  auto found = ratio_of_means({2e-3, 2e-3, 2e-3, 6e-3}, {1e-3, 1e-3, 1e-3, 1e-3});
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->reference, 3e-3);
  EXPECT_DOUBLE_EQ(found->candidate, 1e-3);
  EXPECT_DOUBLE_EQ(found->speedup, 3);
  EXPECT_EQ(found->samples, 4);
}

TEST(mean_timer, the_interval_adds_the_relative_errors_of_both_means) {
  // Means 1 and 2; standard errors 0.1 and 0.1, relative 0.1 and 0.05.
  std::vector<double> one{0.9, 1.1};
  std::vector<double> two{1.9, 2.1};
  auto found = ratio_of_means(two, one);
  ASSERT_TRUE(found);
  auto half = 1.96 * std::sqrt(0.1 * 0.1 + 0.05 * 0.05);
  EXPECT_NEAR(std::log(found->high / 2), half, 1e-9);
  EXPECT_NEAR(std::log(2 / found->low), half, 1e-9);
}

TEST(mean_timer, more_calls_narrow_the_interval) {
  std::vector<double> few{0.9, 1.1};
  std::vector<double> many;
  for (int i = 0; i < 100; ++i)
    many.insert(many.end(), few.begin(), few.end());
  auto wide = ratio_of_means(few, few);
  auto narrow = ratio_of_means(many, many);
  ASSERT_TRUE(wide && narrow);
  EXPECT_LT(narrow->high - narrow->low, (wide->high - wide->low) / 5);
  EXPECT_TRUE(narrow->tie());
}

TEST(mean_timer, what_allows_no_interval_has_no_ratio) {
  EXPECT_FALSE(ratio_of_means({1}, {1}));
  EXPECT_FALSE(ratio_of_means({1, 1}, {}));
  EXPECT_FALSE(ratio_of_means({1, 1}, {1, 0}));
  EXPECT_FALSE(ratio_of_means({1, std::nan("")}, {1, 1}));
}
