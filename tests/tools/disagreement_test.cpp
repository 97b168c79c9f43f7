#include "tools/lathe/judging/disagreement.hpp"

#include "tests/tools/judging_rows.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::judging;
using namespace lathe::judging::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

const auto strict = *gpu::find_judge("strict", {});
const auto kernelbench = *gpu::find_judge("kernelbench", {});
const auto pike = *gpu::find_judge("pike", {});

const auto faster = timed(2, 1.9, 2.1);

// @param right draws that agreed before the first that did not
verdict wrong(double error, std::int32_t right = 0) {
  auto result = failed(outcome::incorrect);
  result.correctness = correctness{"fp32", "tf32", error, right, 0};
  return result;
}

verdict right(double error) {
  auto result = faster;
  result.correctness->error_ratio = error;
  return result;
}

} // namespace

TEST(disagreement, none_where_both_say_the_same) {
  EXPECT_EQ(why_they_differ({faster, strict}, {timed(2.4, 2.3, 2.5), kernelbench}), "");
  EXPECT_EQ(why_they_differ({wrong(100), strict}, {failed(outcome::crashed), pike}), "");
}

TEST(disagreement, an_error_that_one_allows_is_about_tolerance) {
  auto why = why_they_differ({wrong(60), strict}, {right(61), pike});
  EXPECT_THAT(why, StartsWith("tolerance: the error is 61 times float32 eager's"));
  EXPECT_THAT(why, HasSubstr("strict 8 times float32 eager's"));
  EXPECT_THAT(why, HasSubstr("pike 1e-2"));
}

TEST(disagreement, a_limit_below_float32_is_about_tolerance_too) {
  // Large values: rounding alone is more than 1e-4.
  EXPECT_THAT(why_they_differ({right(1.2), strict}, {wrong(1.1), kernelbench}),
              StartsWith("tolerance:"));
}

TEST(disagreement, an_error_that_only_one_saw_is_about_what_it_looked_at) {
  EXPECT_THAT(why_they_differ({wrong(1e6, 1), strict}, {right(1.1), pike}),
              StartsWith("draws: wrong on one of strict's 5 input draws, right on pike's 1"));
  EXPECT_THAT(why_they_differ({wrong(1e6, 3), strict}, {right(1.1), pike}),
              StartsWith("weights: wrong with strict's second weights; pike tries one only"));
  EXPECT_THAT(why_they_differ({right(1.1), strict}, {wrong(1e6), kernelbench}),
              StartsWith("mode: wrong in kernelbench's train mode, right in strict's eval mode"));
}

TEST(disagreement, a_rule_that_the_other_lacks_is_named) {
  EXPECT_EQ(why_they_differ({failed(outcome::refused, "cached-output"), strict}, {faster, pike}),
            "conduct: strict refuses it as cached-output; pike has no such rule");
}

TEST(disagreement, what_crashes_for_one_alone_is_about_what_it_looked_at) {
  EXPECT_THAT(why_they_differ({failed(outcome::timed_out), strict}, {faster, pike}),
              StartsWith("draws: timed out on one of"));
}

TEST(disagreement, a_win_here_and_a_tie_there_is_about_timing) {
  auto why = why_they_differ({timed(1, 0.99, 1.01), strict}, {timed(1.1, 1.05, 1.15), kernelbench});
  EXPECT_THAT(why, StartsWith("timing: a tie for strict (medians"));
  EXPECT_THAT(why, HasSubstr("faster for kernelbench (means"));
  EXPECT_THAT(why_they_differ({failed(outcome::unstable), strict}, {faster, pike}),
              StartsWith("timing: strict found no time"));
}

TEST(disagreement, each_judge_is_held_against_the_first) {
  auto x = row_of("a.py", {failed(outcome::refused, "input-mutation")});
  x.judgements.push_back(said({faster}, "kernelbench"));
  x.judgements.push_back(said({}, "pike"));
  EXPECT_THAT(disagreements(x, {strict, kernelbench, pike}),
              ElementsAre(StartsWith("conduct: strict refuses it as input-mutation")));
}
