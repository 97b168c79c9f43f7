#include "gpu/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace lathe;
using gpu::block;
using gpu::ratio_interval;

namespace {

using blocks = std::vector<block>;

// A made-up host: how the two sides of a measurement behave.
struct host {
  double candidate = 1e-3;  // [seconds] a call; the reference takes 1e-3
  double noise = 0.02;      // of each call, relative
  double block_noise = 0.0; // of each block and side, relative
  double drift = 0.0;       // of both sides from the first to the last pair, relative
  double outliers = 0.0;    // share of calls that take 20 times as long
  bool two_speeds = false;  // half of the pairs run on a host that is slower for a while

  std::optional<timing> measure(std::mt19937& random, int pairs, int samples) const {
    blocks sides[2];
    for (int i = 0; i < pairs; ++i) {
      auto slowdown = 1 + drift * i / pairs;
      if (std::bernoulli_distribution{}(random) && two_speeds)
        slowdown *= 1.8;
      for (auto& side : sides)
        side.push_back(run(random, (&side == sides ? 1e-3 : candidate) * slowdown, samples));
    }
    return ratio_interval(sides[0], sides[1]);
  }

private:
  block run(std::mt19937& random, double seconds, int samples) const {
    std::normal_distribution<double> normal;
    std::bernoulli_distribution outlier{outliers};
    auto level = seconds * std::exp(block_noise * normal(random));
    block result;
    for (int i = 0; i < samples; ++i)
      result.push_back(level * std::exp(noise * normal(random)) * (outlier(random) ? 20 : 1));
    return result;
  }
};

// The share of measurements whose interval holds the true speed-up.
double coverage(const host& x, int pairs, int samples) {
  constexpr int measurements = 300;
  std::mt19937 random{1};
  int hits = 0;
  for (int i = 0; i < measurements; ++i) {
    auto found = x.measure(random, pairs, samples);
    auto truth = 1e-3 / x.candidate;
    hits += found && found->low <= truth && truth <= found->high;
  }
  return static_cast<double>(hits) / measurements;
}

} // namespace

TEST(statistics, the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle) {
  EXPECT_EQ(gpu::median({7}), 7);
  EXPECT_EQ(gpu::median({9, 1, 5}), 5);
  EXPECT_EQ(gpu::median({4, 1, 100, 2}), 3);
}

TEST(statistics, quantiles_interpolate_between_neighbours) {
  EXPECT_EQ(gpu::quantile({40, 10, 30, 20}, 0), 10);
  EXPECT_EQ(gpu::quantile({40, 10, 30, 20}, 1), 40);
  EXPECT_DOUBLE_EQ(gpu::quantile({40, 10, 30, 20}, 0.25), 17.5);
}

TEST(statistics, there_is_no_interval_without_enough_usable_pairs) {
  auto good = blocks(6, block{1, 2});
  EXPECT_TRUE(ratio_interval(good, good));
  EXPECT_FALSE(ratio_interval(blocks(5, block{1, 2}), blocks(5, block{1, 2})));
  EXPECT_FALSE(ratio_interval(good, blocks(7, block{1, 2})));
  for (auto bad : {block{}, block{1, 0}, block{-1}, block{NAN}, block{INFINITY}}) {
    auto spoilt = good;
    spoilt[3] = bad;
    EXPECT_FALSE(ratio_interval(good, spoilt));
    EXPECT_FALSE(ratio_interval(spoilt, good));
  }
}

TEST(statistics, pairs_that_agree_give_an_interval_without_width) {
  auto found = ratio_interval(blocks(6, block{4, 2, 6}), blocks(6, block{2}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->reference, 4);
  EXPECT_EQ(found->candidate, 2);
  EXPECT_DOUBLE_EQ(found->speedup, 2);
  EXPECT_DOUBLE_EQ(found->low, 2);
  EXPECT_DOUBLE_EQ(found->high, 2);
  EXPECT_EQ(found->samples, 6);
  EXPECT_EQ(found->blocks, 6);
}

TEST(statistics, few_pairs_give_an_interval_from_the_smallest_ratio_to_the_largest) {
  auto found = ratio_interval({{1}, {2}, {4}, {8}, {16}, {32}}, blocks(6, block{1}));
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->speedup, std::sqrt(32), 1e-9);
  EXPECT_NEAR(found->low, 1, 1e-9);
  EXPECT_NEAR(found->high, 32, 1e-9);
  EXPECT_NEAR(gpu::relative_half_width(*found), 31 / (2 * std::sqrt(32)), 1e-9);
}

TEST(statistics, blocks_may_differ_in_size) {
  auto found = ratio_interval({{4}, {4, 5}, {3, 4, 4, 4}, {4}, {4, 4, 9}, {4}},
                              {{1, 2, 3}, {2}, {2, 2}, {1, 2, 2}, {2, 3}, {2}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->reference, 4);
  EXPECT_EQ(found->candidate, 2);
  EXPECT_LE(found->low, 2);
  EXPECT_GE(found->high, 2);
}

TEST(statistics, the_same_samples_give_the_same_interval) {
  std::mt19937 first{3}, second{3};
  auto x = host{}.measure(first, 8, 5);
  auto y = host{}.measure(second, 8, 5);
  ASSERT_TRUE(x && y);
  EXPECT_EQ(x->low, y->low);
  EXPECT_EQ(x->high, y->high);
}

TEST(statistics, equal_sides_give_an_interval_that_holds_1_as_often_as_promised) {
  auto quiet = coverage({}, 10, 5);
  EXPECT_GE(quiet, 0.93);
  EXPECT_LE(quiet, 0.995);
}

TEST(statistics, an_interval_from_the_fewest_pairs_keeps_its_promise_too) {
  EXPECT_GE(coverage({}, 6, 4), 0.93);
}

TEST(statistics, blocks_that_differ_by_more_than_their_samples_are_not_taken_for_precise) {
  EXPECT_GE(coverage({.noise = 0.005, .block_noise = 0.02}, 10, 10), 0.93);
}

TEST(statistics, drift_that_both_sides_share_cancels_out) {
  EXPECT_GE(coverage({.drift = 0.3}, 10, 5), 0.93);
  std::mt19937 random{2};
  auto found = host{.noise = 0.001, .drift = 0.3}.measure(random, 20, 5);
  ASSERT_TRUE(found);
  EXPECT_LT(gpu::relative_half_width(*found), 0.01) << "far less than the drift itself";
}

TEST(statistics, a_host_with_two_speeds_does_not_move_the_speedup) {
  EXPECT_GE(coverage({.two_speeds = true}, 20, 5), 0.93);
  std::mt19937 random{7};
  for (int i = 0; i < 20; ++i) {
    auto found = host{.two_speeds = true}.measure(random, 31, 5);
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->speedup, 1, 0.02) << "a call takes 1 ms or 1.8 ms, whoever makes it";
  }
}

TEST(statistics, a_candidate_twice_as_fast_is_found) {
  std::mt19937 random{4};
  auto found = host{.candidate = 0.5e-3}.measure(random, 20, 10);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->speedup, 2, 0.02);
  EXPECT_GT(found->low, 1.95);
  EXPECT_LT(found->high, 2.05);
  EXPECT_FALSE(found->tie());
  EXPECT_GE(coverage({.candidate = 0.5e-3}, 10, 5), 0.93);
}

TEST(statistics, a_few_very_slow_calls_do_not_move_the_interval) {
  std::mt19937 random{5};
  auto found = host{.candidate = 0.5e-3, .outliers = 0.05}.measure(random, 20, 10);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->speedup, 2, 0.02);
  EXPECT_LT(gpu::relative_half_width(*found), 0.02);
  EXPECT_GE(coverage({.outliers = 0.05}, 10, 5), 0.93);
}

TEST(statistics, what_processes_differ_in_widens_the_interval_and_nothing_else) {
  timing measured{2e-3, 1e-3, 2.0, 1.99, 2.01, 100, 10};
  auto found = gpu::widened(measured, 0.02);
  EXPECT_DOUBLE_EQ(found.low, 1.99 * 0.98);
  EXPECT_DOUBLE_EQ(found.high, 2.01 * 1.02);
  EXPECT_EQ(found.speedup, measured.speedup);
  EXPECT_TRUE(gpu::widened({1, 1, 1.01, 1.005, 1.015, 100, 10}, 0.02).tie());
}
