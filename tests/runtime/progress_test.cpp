#include "runtime/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::HasSubstr;
using testing::Not;

namespace {

session_status searching(const std::string& name, std::int64_t queries) {
  session_status x;
  x.name = name;
  x.state = "searching";
  x.cost.queries = queries;
  return x;
}

} // namespace

TEST(progress, clocks_show_hours_only_when_there_are_any) {
  EXPECT_EQ(format_clock(41.9), "00:41");
  EXPECT_EQ(format_clock(3723), "1:02:03");
}

TEST(progress, the_table_has_a_line_a_task_and_one_on_agents) {
  auto best = searching("attention", 3);
  best.speedup = 3.41;
  best.best = "coder#2 <- planner idea 1";
  progress_view view{{searching("mlp", 3), best}, {{"coder", 4, 3, 2, 0, 0}}, 41, {20, 0, 0}};
  auto lines = format_table(view, false);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[1], HasSubstr("1.00x  reference"));
  EXPECT_THAT(lines[2], HasSubstr("3.41x  coder#2 <- planner idea 1"));
  EXPECT_THAT(lines[3], HasSubstr("coder 3/4 +2"));
  EXPECT_THAT(lines[3], Not(HasSubstr("\x1b")));
}

TEST(progress, colour_marks_what_the_text_says_already) {
  auto best = searching("mlp", 0);
  best.speedup = 2;
  progress_view view{{best}, {}, 1, {}};
  EXPECT_THAT(format_table(view, true)[1], HasSubstr("\x1b[32m"));
}

TEST(progress, time_left_follows_the_share_of_the_budget) {
  progress_view view{{searching("a", 5), searching("b", 5)}, {}, 30, {20, 0, 0}};
  EXPECT_DOUBLE_EQ(time_left(view).value(), 90);
  view.budget.queries = 0;
  EXPECT_FALSE(time_left(view));
}

TEST(progress, what_models_cost_has_a_line_of_its_own) {
  progress_view view{{searching("mlp", 3)}, {}, 41, {20, 0, 0}};
  EXPECT_EQ(format_table(view, false).size(), 3u);
  view.accounts = {{{}, {3, 0, 0, 0, 0.42}, 0.08}};
  auto lines = format_table(view, false);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[3], HasSubstr("spent $0.42, at most $0.08 more under way"));
}

TEST(progress, an_answer_without_code_is_told) {
  actors::session_state state;
  actors::drafts_received x{1, {{"coder#1", "", "", "the answer holds no Python code"}}, {}, {}};
  EXPECT_EQ(format_event(state, x, 61).value(),
            "01:01  : coder#1: the answer holds no Python code");
  x.drafts.front().problem.clear();
  EXPECT_FALSE(format_event(state, x, 61));
}

TEST(progress, events_that_people_need_not_see_make_no_line) {
  actors::session_state state;
  EXPECT_FALSE(format_event(state, actors::request_issued{}, 1));
  EXPECT_EQ(format_event(state, actors::session_ended{"all tried", false}, 61).value(),
            "01:01  : done: all tried");
}
