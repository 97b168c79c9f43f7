#include "tools/lathe/judging/kernelbench_results.hpp"

#include "tests/tools/judging_rows.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::judging;
using namespace lathe::judging::test;
using testing::HasSubstr;

namespace {

boost::json::value document_of(std::vector<row> rows) {
  auto error = number_samples(rows);
  EXPECT_FALSE(error) << describe(error);
  return boost::json::parse(kernelbench_results(rows, "a processor", "cpu"));
}

std::string mistake_in(std::vector<row> rows) {
  return describe(number_samples(rows));
}

} // namespace

TEST(kernelbench_results, samples_are_listed_under_their_problem_in_order) {
  auto found = document_of({row_of("1_10.py", {timed(2, 1.9, 2.1)}),
                            row_of("level_1_problem_2_sample_1_kernel.py", {timed(2, 1.9, 2.1)}),
                            row_of("level_1_problem_2_sample_0_kernel.py", {timed(2, 1.9, 2.1)})})
                 .as_object();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.begin()->key(), "2");
  auto& samples = found.at("2").as_array();
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].at("sample_id"), 0);
  EXPECT_EQ(samples[1].at("sample_id"), 1);
  EXPECT_EQ(found.at("10").at(0).at("sample_id"), 0);
}

TEST(kernelbench_results, a_correct_sample_has_times_in_ms_with_three_digits) {
  auto x = row_of("1_2.py", {timed(2, 1.9, 2.1, 1.23456)});
  x.judgements.front().runs.front().seconds = {1e-3, 2e-3, 3e-3};
  auto found = document_of({x}).at("2").at(0);
  EXPECT_EQ(found.at("compiled"), true);
  EXPECT_EQ(found.at("correctness"), true);
  EXPECT_DOUBLE_EQ(found.at("runtime").as_double(), 1.23);
  auto& times = found.at("runtime_stats");
  EXPECT_DOUBLE_EQ(times.at("mean").as_double(), 2);
  EXPECT_DOUBLE_EQ(times.at("std").as_double(), 0.816);
  EXPECT_DOUBLE_EQ(times.at("min").as_double(), 1);
  EXPECT_DOUBLE_EQ(times.at("max").as_double(), 3);
  EXPECT_EQ(times.at("num_trials"), 3);
}

TEST(kernelbench_results, what_failed_says_where) {
  auto screened = failed(outcome::refused, "no-model");
  screened.stages = {{"screen", 0, 0, 0}};
  auto found = document_of(
    {row_of("1_1.py", {failed(outcome::build_failed)}), row_of("1_2.py", {screened}),
     row_of("1_3.py", {failed(outcome::incorrect)}), row_of("1_4.py", {failed(outcome::crashed)}),
     row_of("1_5.py", {failed(outcome::refused, "cached-output")})});
  auto expect = [&](const char* problem, bool compiled, const char* key) {
    auto& sample = found.at(problem).at(0);
    EXPECT_EQ(sample.at("compiled"), compiled) << problem;
    EXPECT_EQ(sample.at("correctness"), false) << problem;
    EXPECT_TRUE(sample.at("metadata").as_object().contains(key)) << problem;
    EXPECT_EQ(sample.at("runtime"), -1.0) << problem;
    EXPECT_TRUE(sample.at("runtime_stats").as_object().empty()) << problem;
  };
  expect("1", false, "compilation_error");
  expect("2", false, "compilation_error");
  expect("3", true, "correctness_issue");
  expect("4", true, "runtime_error");
  expect("5", true, "runtime_error");
}

TEST(kernelbench_results, the_judge_of_that_name_is_the_one_that_counts) {
  auto x = row_of("1_2.py", {failed(outcome::refused, "input-mutation")});
  x.judgements.push_back(said({timed(2, 1.9, 2.1)}, "kernelbench"));
  EXPECT_EQ(document_of({x}).at("2").at(0).at("correctness"), true);
}

TEST(kernelbench_results, samples_without_a_number_get_the_next_free_one) {
  std::vector<row> rows{row_of("3_a.py", {}), row_of("level_1_problem_3_sample_0_kernel.py", {}),
                        row_of("3_b.py", {}), row_of("level_1_problem_3_sample_2_kernel.py", {})};
  ASSERT_FALSE(number_samples(rows));
  EXPECT_EQ(rows[0].name.sample, 1);
  EXPECT_EQ(rows[1].name.sample, 0);
  EXPECT_EQ(rows[2].name.sample, 3);
  EXPECT_EQ(rows[3].name.sample, 2);
}

TEST(kernelbench_results, what_the_format_cannot_hold_is_one_sentence) {
  EXPECT_THAT(mistake_in({row_of("mlp.py", {})}), HasSubstr("task.py has no problem number"));
  EXPECT_THAT(mistake_in({row_of("1_3_0.py", {}), row_of("a/1_3_0.py", {})}),
              HasSubstr("1_3_0.py and a/1_3_0.py are both sample 0 of problem 3"));
  EXPECT_THAT(mistake_in({row_of("1_3.py", {}), row_of("2_4.py", {})}), HasSubstr("level 2"));
}
