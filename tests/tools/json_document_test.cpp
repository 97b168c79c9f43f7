#include "tools/lathe/judging/json_document.hpp"

#include "tests/tools/judging_rows.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::judging;
using namespace lathe::judging::test;

namespace {

boost::json::object document_of(const std::vector<row>& rows) {
  environment where;
  where.device = "cpu";
  return boost::json::parse(json_document(rows, where, {{"idle.py"}, {"other.py"}, {"late.py"}})).as_object();
}

} // namespace

TEST(json_document, of_one_task_says_what_is_known_about_it) {
  auto found = document_of({row_of("a.py", {timed(2, 1.9, 2.1)})});
  EXPECT_EQ(found.at("task"), "task.py");
  EXPECT_EQ(found.at("degenerate"), "");
  auto& verdict = found.at("verdicts").at(0);
  EXPECT_EQ(verdict.at("candidate"), "a.py");
  EXPECT_EQ(verdict.at("outcome"), "correct");
  EXPECT_EQ(verdict.at("timing").at("speedup"), 2.0);
  EXPECT_FALSE(verdict.as_object().contains("runs"));
  EXPECT_EQ(found.at("tasks_without_candidate").at(0), "idle.py");
  EXPECT_EQ(found.at("candidates_without_task").at(0), "other.py");
}

TEST(json_document, a_floor_that_is_not_known_is_null) {
  auto known = timed(2, 1.9, 2.1);
  known.timing->floor = 0.25e-3;
  known.timing->throttled = 3;
  auto found = document_of({row_of("a.py", {timed(2, 1.9, 2.1)}), row_of("b.py", {known})});
  EXPECT_TRUE(found.at("verdicts").at(0).at("timing").at("floor_ms").is_null());
  EXPECT_EQ(found.at("verdicts").at(1).at("timing").at("floor_ms"), 0.25);
  EXPECT_EQ(found.at("verdicts").at(1).at("timing").at("throttled"), 3);
}

TEST(json_document, of_several_tasks_names_each_in_its_verdict) {
  auto second = row_of("2_b.py", {failed(outcome::incorrect)});
  second.task = "other.py";
  auto found = document_of({row_of("1_a.py", {timed(2, 1.9, 2.1)}), second});
  EXPECT_FALSE(found.contains("task"));
  EXPECT_EQ(found.at("verdicts").at(1).at("task"), "other.py");
  EXPECT_EQ(found.at("verdicts").at(1).at("problem_id"), 2);
  EXPECT_TRUE(found.at("verdicts").at(1).at("sample_id").is_null());
  auto& summary = found.at("summary").at("strict");
  EXPECT_EQ(summary.at("outcomes").at("correct"), 1);
  EXPECT_EQ(summary.at("fast_1").at("sure"), 1);
  EXPECT_EQ(summary.at("fast_1").at("of"), 3);
}

TEST(json_document, has_a_candidates_class_where_it_is_known) {
  auto known = timed(2, 1.9, 2.1);
  known.work = device_work{3, 0.75, 0.25, 0, true};
  known.folds = false;
  auto found = document_of({row_of("a.py", {known}), row_of("b.py", {timed(2, 1.9, 2.1)})});
  auto& first = found.at("verdicts").at(0);
  EXPECT_EQ(first.at("work").at("own"), 0.75);
  EXPECT_EQ(first.at("work").at("graphs"), true);
  EXPECT_EQ(first.at("folds"), false);
  EXPECT_FALSE(found.at("verdicts").at(1).as_object().contains("work"));
  EXPECT_FALSE(found.at("verdicts").at(1).as_object().contains("folds"));
}

TEST(json_document, holds_every_repetition) {
  auto found = document_of({row_of("a.py", {timed(2, 1.9, 2.1), timed(2, 1.9, 2.1, 1.1)})});
  auto& verdict = found.at("verdicts").at(0);
  EXPECT_EQ(verdict.at("runs").as_array().size(), 2u);
  EXPECT_EQ(verdict.at("repetition").at("agree"), true);
  EXPECT_NEAR(verdict.at("repetition").at("medians_spread").as_double(), 0.1 / 1.05, 1e-9);
}

TEST(json_document, a_row_without_a_verdict_says_why) {
  auto broken = row_of("a.py", {});
  broken.judgements.front().problem = make_error(errc::bad_task, "task.py:3: no");
  auto found = document_of({broken});
  EXPECT_EQ(found.at("verdicts").at(0).at("problem"), "task.py:3: no");
  EXPECT_FALSE(found.at("verdicts").at(0).as_object().contains("outcome"));
}

TEST(json_document, other_judges_stand_beside_the_first) {
  auto x = row_of("a.py", {failed(outcome::incorrect)});
  x.judgements.push_back(said({timed(2, 1.9, 2.1)}, "pike"));
  auto found = document_of({x});
  auto& verdict = found.at("verdicts").at(0);
  EXPECT_EQ(verdict.at("outcome"), "incorrect");
  EXPECT_EQ(verdict.at("other_judges").at(0).at("judge"), "pike");
  EXPECT_EQ(verdict.at("other_judges").at(0).at("outcome"), "correct");
  EXPECT_EQ(found.at("summary").at("pike").at("fast_1").at("sure"), 1);
}
