#include "gpu/stopping_rule.hpp"

#include <gtest/gtest.h>

#include <random>

using namespace lathe;
using gpu::block;
using gpu::stop_reason;
using gpu::stopping_rule;

namespace {

// Feeds pairs of blocks of `samples` calls until the rule has enough, a pair every `seconds`.
class measurement {
public:
  measurement(double reference, double candidate, double noise)
    : reference_(reference), candidate_(candidate), noise_(noise) {
    // nop
  }

  int run(stopping_rule& rule, int samples, double seconds) {
    int pairs = 0;
    while (!rule.is_finished() && pairs < 10'000) {
      ++pairs;
      auto reference = take(reference_, samples);
      auto candidate = take(candidate_, samples);
      rule.add(std::move(reference), std::move(candidate), pairs * seconds);
    }
    return pairs;
  }

private:
  block take(double seconds, int samples) {
    std::normal_distribution<double> normal;
    block result;
    for (int i = 0; i < samples; ++i)
      result.push_back(seconds * (1 + noise_ * normal(random_)));
    return result;
  }

  std::mt19937 random_{1};
  double reference_;
  double candidate_;
  double noise_;
};

} // namespace

TEST(stopping_rule, a_quiet_host_needs_no_more_than_the_fewest_samples) {
  stopping_rule rule;
  EXPECT_EQ(measurement(2e-3, 1e-3, 1e-4).run(rule, 4, 0.01), 6);
  EXPECT_EQ(rule.reason(), stop_reason::precise);
  ASSERT_TRUE(rule.result());
  EXPECT_NEAR(rule.result()->speedup, 2, 0.01);
  EXPECT_EQ(rule.result()->samples, 24);
}

TEST(stopping_rule, a_clear_win_needs_less_precision_than_a_close_call) {
  stopping_rule clear;
  auto soon = measurement(2e-3, 1e-3, 0.05).run(clear, 10, 1e-3);
  EXPECT_EQ(clear.reason(), stop_reason::clear);
  stopping_rule close;
  auto later = measurement(1e-3, 0.98e-3, 0.05).run(close, 10, 1e-3);
  EXPECT_EQ(close.reason(), stop_reason::precise);
  EXPECT_GT(later, 2 * soon);
}

TEST(stopping_rule, a_narrow_interval_from_too_few_samples_is_not_enough) {
  stopping_rule rule;
  EXPECT_EQ(measurement(2e-3, 1e-3, 1e-4).run(rule, 2, 0.01), 10);
}

TEST(stopping_rule, noise_takes_more_samples_until_the_interval_is_narrow) {
  stopping_rule rule;
  auto pairs = measurement(1e-3, 1e-3, 0.02).run(rule, 10, 0.001);
  EXPECT_GT(pairs, 10);
  EXPECT_EQ(rule.reason(), stop_reason::precise);
  EXPECT_LE(gpu::relative_half_width(*rule.result()), 0.005);
}

TEST(stopping_rule, ends_with_the_time_budget_and_an_interval_of_all_that_was_measured) {
  stopping_rule rule;
  auto pairs = measurement(2e-3, 1e-3, 0.2).run(rule, 3, 0.11);
  EXPECT_EQ(pairs, 19);
  EXPECT_EQ(rule.reason(), stop_reason::out_of_time);
  ASSERT_TRUE(rule.result());
  EXPECT_EQ(rule.result()->blocks, 19);
  EXPECT_GT(gpu::relative_half_width(*rule.result()), 0.005);
}

TEST(stopping_rule, goes_past_the_budget_until_there_are_pairs_enough_for_an_interval) {
  stopping_rule rule;
  EXPECT_EQ(measurement(2, 1, 0.1).run(rule, 1, 3), 6);
  EXPECT_EQ(rule.reason(), stop_reason::out_of_time);
  EXPECT_TRUE(rule.result());
}

TEST(stopping_rule, a_hopeless_candidate_is_given_up_after_a_dozen_pairs) {
  stopping_rule rule;
  EXPECT_EQ(measurement(1e-3, 2e-3, 0.05).run(rule, 2, 0.01), 12);
  EXPECT_EQ(rule.reason(), stop_reason::hopeless);
  EXPECT_LT(rule.result()->high, 0.9);
}

TEST(stopping_rule, a_hopeless_candidate_with_long_calls_is_given_up_sooner) {
  stopping_rule rule;
  EXPECT_EQ(measurement(0.1, 0.2, 0.05).run(rule, 1, 0.3), 6);
  EXPECT_EQ(rule.reason(), stop_reason::hopeless);
}

TEST(stopping_rule, a_gust_in_the_first_pairs_makes_nobody_hopeless) {
  stopping_rule rule;
  for (auto pair = 1; pair <= 7; ++pair) // of the candidate's blocks alone, by bad luck
    rule.add({1e-3, 1e-3}, {1.5e-3, 1.4e-3 + 0.1e-3 * pair}, pair * 0.01);
  EXPECT_FALSE(rule.is_finished());
  for (auto pair = 8; !rule.is_finished(); ++pair)
    rule.add({1e-3, 1.01e-3}, {1.01e-3, 1e-3}, pair * 0.01);
  EXPECT_EQ(rule.reason(), stop_reason::precise);
  EXPECT_NEAR(rule.result()->speedup, 1, 0.01);
}

TEST(stopping_rule, a_gust_on_one_side_decides_nothing_while_patience_lasts) {
  for (auto slow : {0.8, 1.3}) { // of the candidate's time in the first 70 ms
    gpu::stopping_options options;
    options.budget = 1.2;
    options.patience = 0.4;
    stopping_rule rule{options};
    for (auto pair = 1; !rule.is_finished(); ++pair) {
      auto factor = pair <= 12 ? slow : 1.0;
      auto noise = pair % 3 * 2e-7;
      rule.add({75e-6, 76e-6 + noise}, {factor * (76e-6 - noise), factor * 75e-6}, pair * 0.006);
    }
    EXPECT_NEAR(rule.result()->speedup, 1, 0.01);
    EXPECT_GT(rule.result()->blocks, 60);
  }
}

TEST(stopping_rule, a_candidate_that_is_a_little_slower_is_measured_in_full) {
  stopping_rule rule;
  EXPECT_GT(measurement(0.95e-3, 1e-3, 0.02).run(rule, 10, 0.001), 10);
  EXPECT_EQ(rule.reason(), stop_reason::precise);
}

TEST(stopping_rule, times_that_allow_no_interval_end_with_the_budget_and_no_result) {
  stopping_rule rule;
  EXPECT_EQ(measurement(1e-3, 0, 0).run(rule, 5, 0.2), 10);
  EXPECT_EQ(rule.reason(), stop_reason::out_of_time);
  EXPECT_FALSE(rule.result());
}

TEST(stopping_rule, pairs_that_come_after_the_end_count_and_leave_the_reason_alone) {
  stopping_rule rule;
  measurement{2e-3, 1e-3, 1e-4}.run(rule, 4, 0.01);
  rule.add({8e-3}, {1e-3}, 5);
  EXPECT_EQ(rule.reason(), stop_reason::precise);
  EXPECT_EQ(rule.result()->blocks, 7);
}

TEST(stopping_rule, a_reason_has_a_name) {
  EXPECT_EQ(to_string(stop_reason::out_of_time), "out_of_time");
}
