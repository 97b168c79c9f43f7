#include "tools/lathe/judging/repetition.hpp"

#include "tests/tools/judging_rows.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::judging;
using namespace lathe::judging::test;
using testing::ElementsAre;

TEST(repetition, one_verdict_repeats_nothing) {
  EXPECT_FALSE(compare_runs(said({timed(2, 1.9, 2.1)})));
}

TEST(repetition, the_spread_is_from_end_to_end_over_the_middle) {
  auto found = compare_runs(
    said({timed(2, 1.9, 2.1, 1.00), timed(2.1, 2, 2.2, 0.99), timed(2, 1.9, 2.1, 1.03)}));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->agree);
  EXPECT_EQ(found->timed, 3);
  EXPECT_NEAR(found->medians, 0.04, 1e-9);
  EXPECT_NEAR(found->speedups, 0.05, 1e-9);
  EXPECT_EQ(in_words(*found), "3 verdicts agree, medians within 4 %, speed-ups within 5 %");
}

TEST(repetition, verdicts_that_differ_are_told_most_frequent_first) {
  auto found = compare_runs(
    said({failed(outcome::refused, "cached-output"), timed(2, 1.9, 2.1), timed(2, 1.9, 2.1)}));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->agree);
  EXPECT_THAT(found->said, ElementsAre("2 correct", "1 refused (cached-output)"));
}

TEST(repetition, one_rule_and_another_are_no_agreement) {
  auto found = compare_runs(
    said({failed(outcome::refused, "cached-output"), failed(outcome::refused, "clock-mismatch")}));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->agree);
  EXPECT_EQ(found->timed, 0);
}
