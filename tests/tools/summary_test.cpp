#include "tools/lathe/judging/summary.hpp"

#include "tests/tools/judging_rows.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::judging;
using namespace lathe::judging::test;
using testing::HasSubstr;
using testing::Not;

TEST(summary, ties_make_a_band_of_fast_p) {
  auto found =
    summarise({row_of("a.py", {timed(3, 2.9, 3.1)}), row_of("b.py", {timed(2, 1.9, 2.1)}),
               row_of("c.py", {timed(1.01, 0.99, 1.03)}), row_of("d.py", {timed(0.8, 0.7, 0.9)}),
               row_of("e.py", {failed(outcome::incorrect)})},
              0, 0);
  ASSERT_EQ(found.fast.size(), 2u);
  EXPECT_EQ(found.fast[0].p, 1);
  EXPECT_EQ(found.fast[0].sure, 2);
  EXPECT_EQ(found.fast[0].ties, 1);
  EXPECT_EQ(found.fast[0].of, 5);
  EXPECT_EQ(found.fast[1].p, 2);
  EXPECT_EQ(found.fast[1].sure, 1);
  EXPECT_EQ(found.fast[1].ties, 1);
  EXPECT_THAT(format_summary(found), HasSubstr("fast_1 0.40 to 0.60 (2 of 5, and 1 tie)"));
}

TEST(summary, tasks_without_a_candidate_are_not_fast) {
  auto found = summarise({row_of("a.py", {timed(3, 2.9, 3.1)})}, 0, 3);
  EXPECT_EQ(found.fast[0].of, 4);
  EXPECT_THAT(format_summary(found), HasSubstr("fast_1 0.25 (1 of 4)"));
  EXPECT_THAT(format_summary(found), HasSubstr("3 tasks without a candidate"));
}

TEST(summary, the_mean_is_geometric_and_over_correct_candidates_only) {
  auto found =
    summarise({row_of("a.py", {timed(4, 4, 4)}), row_of("b.py", {timed(0.25, 0.25, 0.25)}),
               row_of("c.py", {failed(outcome::refused, "cached-output")})},
              0, 0);
  ASSERT_TRUE(found.speedup);
  EXPECT_DOUBLE_EQ(found.speedup->value, 1);
  EXPECT_EQ(found.speedup->count, 2);
}

TEST(summary, the_interval_of_the_mean_narrows_with_the_root_of_its_parts) {
  std::vector<row> rows{row_of("a.py", {timed(2, 1.8, 2 * 2 / 1.8)})};
  auto one = summarise(rows, 0, 0).speedup;
  rows.resize(4, rows.front());
  auto four = summarise(rows, 0, 0).speedup;
  ASSERT_TRUE(one && four);
  EXPECT_NEAR(one->low, 1.8, 1e-9);
  EXPECT_NEAR(std::log(four->high / four->low), std::log(one->high / one->low) / 2, 1e-9);
}

TEST(summary, degenerate_tasks_are_counted_apart) {
  auto degenerate = row_of("a.py", {timed(100, 99, 101)});
  degenerate.judgements.front().degenerate = "an answer of zeros passes";
  auto found = summarise({degenerate, row_of("b.py", {timed(1.5, 1.4, 1.6)})}, 0, 0);
  EXPECT_EQ(found.degenerate, 1);
  EXPECT_EQ(found.outcomes.at(outcome::correct), 1);
  EXPECT_EQ(found.speedup->count, 1);
  EXPECT_EQ(found.fast[0].of, 1);
}

TEST(summary, a_row_without_a_verdict_is_no_failed_candidate) {
  auto broken = row_of("a.py", {});
  broken.judgements.front().problem = make_error(errc::bad_task, "task.py: it does not import");
  auto found = summarise({broken}, 0, 0);
  EXPECT_EQ(found.unjudged, 1);
  EXPECT_TRUE(found.outcomes.empty());
  EXPECT_THAT(format_summary(found), HasSubstr("1 without a verdict"));
  EXPECT_THAT(format_summary(found), Not(HasSubstr("fast")));
  EXPECT_THAT(format_summary(found), Not(HasSubstr("nan")));
}
