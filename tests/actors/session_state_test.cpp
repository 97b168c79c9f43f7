#include "actors/session_state.hpp"

#include "actors/session_journal.hpp"

#include "tests/support/topologies.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace lathe;
using namespace lathe::actors;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// Drives a session without actors: issues what it decides and lets the test answer.
class session_driver {
public:
  explicit session_driver(topology plan) {
    task subject{"mlp", "mlp.py", "class Model: ..."};
    record(session_started{subject, std::move(plan)});
    go_on();
    answer("evaluator", "", task_prepared{});
  }

  void record(session_event event) {
    state.apply(event);
    events.push_back(std::move(event));
  }

  void go_on(double elapsed = 0, bool stopping = false) {
    while (auto event = state.next(elapsed, stopping))
      record(std::move(*event));
  }

  /// Returns the oldest request to `target` about `subject` that waits for an answer.
  request_id waiting(const std::string& target, const std::string& subject = "*") const {
    for (auto& [id, request] : state.in_flight())
      if (request.target == target && (subject == "*" || request.subject == subject))
        return id;
    ADD_FAILURE() << "nothing waits at " << target << " about " << subject;
    return 0;
  }

  std::size_t count(const std::string& target) const {
    auto& all = state.in_flight();
    return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [&](auto& x) { return x.second.target == target; }));
  }

  void answer(const std::string&, const std::string&, session_event event, double elapsed = 0) {
    record(std::move(event));
    go_on(elapsed);
  }

  void ideas(std::vector<std::string> list) {
    answer("", "", ideas_received{waiting("planner"), {std::move(list), "", {}}});
  }

  /// Answers the oldest request to `agent` with one candidate.
  candidate_id code(const std::string& agent, std::string problem = {}) {
    auto id = state.next_candidate_id(agent);
    state.add_text("hash of " + id, "source of " + id);
    answer("", "", drafts_received{waiting(agent), {{id, "hash of " + id, "", problem}}, {}, {}});
    return id;
  }

  void judge(const candidate_id& id, double speedup) {
    verdict x;
    x.outcome = speedup > 0 ? outcome::correct : outcome::incorrect;
    if (speedup > 0)
      x.timing = timing{1.0, 1.0 / speedup, speedup, 0.99 * speedup, 1.01 * speedup, 20, 5};
    else
      x.evidence = "output 0: all elements off";
    answer("", "", verdict_received{waiting("evaluator", id), id, x});
  }

  void fail(const std::string& target, errc code, const std::string& subject = "*") {
    answer("", "", request_failed{waiting(target, subject), code, "it broke"});
  }

  session_state state;
  std::vector<session_event> events;
};

std::string end_of(const session_driver& x) {
  return x.state.ended() ? x.state.ended()->reason : "not ended";
}

} // namespace

TEST(session_state, prepares_the_task_before_anything_else) {
  session_state state;
  state.apply(session_started{task{"mlp", "", ""}, test::small_topology()});
  auto first = state.next(0, false);
  ASSERT_TRUE(first);
  state.apply(*first);
  EXPECT_EQ(std::get<request_issued>(*first).target, "evaluator");
  EXPECT_FALSE(state.next(0, false)) << "nothing else goes out before the task is known";
}

TEST(session_state, opens_with_its_start_and_what_it_decides_at_once) {
  session_driver session{test::small_topology()};
  auto opening = opening_of(std::get<session_started>(session.events[0]));
  ASSERT_EQ(opening.size(), 2u);
  for (auto i : {0, 1})
    EXPECT_EQ(to_record("mlp", opening[i]).payload, to_record("mlp", session.events[i]).payload);
}

TEST(session_state, where_recipes_work_alone_nothing_waits_for_the_time_of_torch_compile) {
  session_state alone;
  alone.apply(session_started{task{"mlp", "", ""}, test::recipes_topology()});
  EXPECT_TRUE(alone.preparation().only_eager);
  session_state with_planner;
  with_planner.apply(session_started{task{"mlp", "", ""}, test::small_topology()});
  EXPECT_FALSE(with_planner.preparation().only_eager);
}

TEST(session_state, a_task_that_cannot_be_prepared_ends_the_session_with_the_reason) {
  session_state state;
  state.apply(session_started{task{"mlp", "", ""}, test::small_topology()});
  state.apply(*state.next(0, false));
  state.apply(request_failed{1, errc::bad_task, "mlp.py:3: no class Model"});
  auto last = state.next(0, false);
  ASSERT_TRUE(last);
  EXPECT_TRUE(std::get<session_ended>(*last).failed);
  EXPECT_EQ(std::get<session_ended>(*last).reason, "mlp.py:3: no class Model");
}

TEST(session_state, planner_and_recipes_start_at_once_and_coders_wait_for_ideas) {
  session_driver x{test::small_topology()};
  EXPECT_EQ(x.count("planner"), 1u);
  EXPECT_EQ(x.count("recipes"), 1u);
  EXPECT_EQ(x.count("coder"), 0u);
  x.ideas({"fuse", "tile"});
  EXPECT_EQ(x.count("coder"), 4u);
}

TEST(session_state, a_planner_that_fails_does_not_stop_the_search) {
  session_driver x{test::small_topology()};
  x.fail("planner", errc::bad_answer);
  EXPECT_EQ(x.count("coder"), 4u);
}

TEST(session_state, a_correct_candidate_goes_to_search_and_profiler) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  auto id = x.code("coder");
  x.judge(id, 2.0);
  EXPECT_EQ(x.count("profiler"), 1u);
  EXPECT_EQ(x.count("coder"), 4u) << "the line that ended was replaced at once";
  auto newest = x.state.in_flight().rbegin()->second;
  EXPECT_THAT(newest.parents, ElementsAre(id));
}

TEST(session_state, a_profile_is_asked_for_only_where_a_profiler_gets_it) {
  auto asks = [](topology plan) {
    session_driver x{std::move(plan)};
    x.ideas({"fuse"});
    auto request = x.state.in_flight().at(x.waiting("evaluator", x.code("coder")));
    return std::get<evaluation_request>(x.state.message_for(request)).want_profile;
  };
  auto plan = test::small_topology();
  EXPECT_TRUE(asks(plan));
  for (auto& route : plan.routes)
    std::erase(route.targets, "profiler");
  EXPECT_FALSE(asks(plan));
}

TEST(session_state, a_coder_is_told_the_same_whenever_it_is_asked) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse", "tile"});
  auto asked = x.state.in_flight().rbegin()->second;
  auto before = std::get<assignment>(x.state.message_for(asked));
  auto failed = x.code("coder");
  x.judge(failed, 0);
  auto after = std::get<assignment>(x.state.message_for(asked));
  EXPECT_EQ(after.history.size(), before.history.size()) << "what failed since is for the next one";
  x.judge(x.code("fixer"), 0);
  x.judge(x.code("fixer"), 0);
  auto next = std::get<assignment>(x.state.message_for(x.state.in_flight().rbegin()->second));
  EXPECT_GT(next.history.size(), before.history.size());
}

TEST(session_state, only_what_rules_made_of_the_task_has_kin) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  auto request = x.state.in_flight().at(x.waiting("evaluator", x.code("coder")));
  EXPECT_EQ(std::get<evaluation_request>(x.state.message_for(request)).kin, "");
}

TEST(session_state, a_rejected_candidate_is_fixed_at_most_as_often_as_configured) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  auto id = x.code("coder");
  x.judge(id, 0);
  for (int attempt = 0; attempt < 2; ++attempt) {
    ASSERT_EQ(x.count("fixer"), 1u);
    x.judge(x.code("fixer"), 0);
  }
  EXPECT_EQ(x.count("fixer"), 0u);
  EXPECT_EQ(x.count("coder"), 4u) << "the hopeless line was replaced";
}

TEST(session_state, a_fix_request_carries_what_failed_before) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  x.judge(x.code("coder"), 0);
  x.judge(x.code("fixer"), 0);
  auto request = x.state.in_flight().at(x.waiting("fixer"));
  auto message = std::get<fix_request>(x.state.message_for(request));
  EXPECT_EQ(message.rejected.id, "fixer#1");
  EXPECT_EQ(message.rejected.source, "source of fixer#1");
  ASSERT_EQ(message.history.size(), 2u);
  EXPECT_EQ(message.history[0].id, "coder#1");
  EXPECT_EQ(message.history[0].idea, "fuse");
  EXPECT_THAT(message.history[1].result, HasSubstr("incorrect: output 0"));
}

TEST(session_state, an_answer_without_code_is_a_wrong_candidate_that_the_fixer_sees) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  auto id = x.code("coder", "no code block");
  EXPECT_EQ(x.state.find(id)->verdict->rule, "no-code");
  EXPECT_EQ(x.count("fixer"), 1u);
  EXPECT_EQ(x.state.status().wrong, 1);
}

TEST(session_state, an_assignment_carries_parent_times_insight_and_lessons) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  auto wrong = x.code("coder");
  x.judge(wrong, 0);
  auto good = x.code("coder");
  x.judge(good, 2.5);
  x.answer("", "", insight_received{x.waiting("profiler"), {"memory bound", {}}});
  auto third = x.code("coder");
  x.judge(third, 1.5);
  auto newest = x.state.in_flight().rbegin()->second;
  auto message = std::get<assignment>(x.state.message_for(newest));
  ASSERT_EQ(message.parents.size(), 1u);
  EXPECT_EQ(message.parents[0].id, good);
  EXPECT_EQ(message.parents[0].insight, "memory bound");
  EXPECT_DOUBLE_EQ(message.parents[0].speedup, 2.5);
  ASSERT_EQ(message.history.size(), 1u);
  EXPECT_EQ(message.history[0].id, wrong);
}

TEST(session_state, a_wrong_recipe_is_nobodys_to_mend) {
  session_driver x{test::small_topology()};
  x.state.add_text("h", "source");
  x.answer("", "", drafts_received{x.waiting("recipes"), {{"recipes#1", "h", "fold", ""}}, {}, {}});
  x.judge("recipes#1", 0);
  EXPECT_EQ(x.count("fixer"), 0u);
}

TEST(session_state, recipes_are_asked_for_more_when_those_before_are_judged) {
  auto plan = test::recipes_topology();
  plan.agents.front().passes = {"a", "b", "c", "d"};
  plan.agents.front().drafts = 5;
  session_driver x{plan};
  auto asked = [&] {
    auto& request = x.state.in_flight().at(x.waiting("recipes"));
    return std::get<recipe_request>(x.state.message_for(request));
  };
  EXPECT_EQ(asked().drafts, 5);
  EXPECT_TRUE(asked().tried.empty());
  x.answer("", "",
           drafts_received{x.waiting("recipes"),
                           {{"recipes#1", "h1", "a", ""}, {"recipes#2", "h2", "b", ""}},
                           {"c: declined"},
                           {},
                           {"a", "b", "d"}});
  x.judge("recipes#1", 2.0);
  EXPECT_EQ(x.count("recipes"), 0u) << "the other one is not judged yet";
  x.judge("recipes#2", 0);
  auto second = asked();
  EXPECT_EQ(second.drafts, 3);
  EXPECT_THAT(second.usable, ElementsAre("a", "b", "d"));
  ASSERT_EQ(second.tried.size(), 2u);
  EXPECT_EQ(second.tried[0].label, "a");
  EXPECT_DOUBLE_EQ(second.tried[0].speedup, 2.0);
  EXPECT_DOUBLE_EQ(second.tried[1].speedup, 0);
  x.answer("", "",
           drafts_received{
             x.waiting("recipes"), {{"recipes#3", "h3", "a+d", ""}}, {}, {}, {"a", "b", "d"}});
  x.fail("evaluator", errc::evaluator_failed, "recipes#3");
  EXPECT_EQ(asked().tried.size(), 3u) << "who has no verdict counts as wrong";
  x.answer("", "", drafts_received{x.waiting("recipes"), {}, {}, {}, {"a", "b", "d"}});
  EXPECT_EQ(x.count("recipes"), 0u) << "there was nothing left to try";
  EXPECT_TRUE(x.state.in_flight().at(x.waiting("evaluator", "recipes#1")).confirm);
}

namespace {

topology topology_with_recipes_around_candidates() {
  auto result = test::small_topology();
  for (auto& route : result.routes)
    if (route.port == "correct")
      route.targets.push_back("recipes");
  return result;
}

} // namespace

TEST(session_state, recipes_go_around_correct_candidates_but_not_around_recipes) {
  session_driver x{topology_with_recipes_around_candidates()};
  x.answer("", "",
           drafts_received{x.waiting("recipes"), {{"recipes#1", "h", "fold", ""}}, {}, {}, {}});
  auto kin_of = [&](const candidate_id& id) {
    auto& issued = x.state.in_flight().at(x.waiting("evaluator", id));
    return std::get<evaluation_request>(x.state.message_for(issued)).kin;
  };
  EXPECT_NE(kin_of("recipes#1"), "") << "made by rules alone";
  x.judge("recipes#1", 1.5);
  EXPECT_EQ(x.count("recipes"), 0u);
  x.ideas({"fuse"});
  auto id = x.code("coder");
  x.judge(id, 2.0);
  auto request = x.state.in_flight().at(x.waiting("recipes", id));
  auto message = std::get<recipe_request>(x.state.message_for(request));
  EXPECT_EQ(message.around, "source of " + id);
  EXPECT_TRUE(message.tried.empty());
  x.answer("", "",
           drafts_received{
             request.id, {{"recipes#2", "h2", "graph", ""}}, {"other: no GPU"}, {}, {"graph"}});
  EXPECT_EQ(x.state.find("recipes#2")->origin, "recipe: graph around " + id);
  EXPECT_THAT(x.state.declined(), ElementsAre("around " + id + ": other: no GPU"));
  EXPECT_EQ(kin_of("recipes#2"), "") << "a coder had a part in it";
  x.judge("recipes#2", 3.0);
  EXPECT_EQ(x.count("recipes"), 0u) << "neither around itself nor for more of the task";
  EXPECT_EQ(x.state.best()->id, "recipes#2");
}

TEST(session_state, a_wrong_recipe_around_a_candidate_is_nobodys_to_mend) {
  session_driver x{topology_with_recipes_around_candidates()};
  x.fail("recipes", errc::evaluator_failed);
  x.ideas({"fuse", "tile"});
  auto id = x.code("coder");
  x.judge(id, 2.0);
  x.answer("", "",
           drafts_received{
             x.waiting("recipes", id), {{"recipes#1", "h1", "graph", ""}}, {}, {}, {"graph"}});
  x.judge("recipes#1", 0);
  EXPECT_EQ(x.count("fixer"), 0u);
  auto request = x.state.in_flight().at(x.waiting("coder"));
  EXPECT_THAT(std::get<assignment>(x.state.message_for(request)).history, testing::IsEmpty());
}

TEST(session_state, recipes_that_lathe_apply_takes_away_are_not_combined_any_more) {
  auto plan = test::recipes_topology();
  plan.agents.front().passes = {"a", "b"};
  session_driver x{plan};
  x.answer("", "",
           drafts_received{x.waiting("recipes"),
                           {{"recipes#1", "h1", "a", ""}, {"recipes#2", "h2", "b", ""}},
                           {"c: no", "c: no"},
                           {},
                           {"a", "b"}});
  EXPECT_THAT(x.state.declined(), ElementsAre("c: no"));
  x.judge("recipes#1", 2.0);
  plan.agents.front().passes = {"b"};
  plan.agents.front().drafts = 9;
  x.answer("", "", topology_changed{plan});
  x.judge("recipes#2", 1.5);
  auto& request = x.state.in_flight().at(x.waiting("recipes"));
  auto message = std::get<recipe_request>(x.state.message_for(request));
  EXPECT_THAT(message.usable, ElementsAre("b"));
  EXPECT_EQ(message.drafts, 7);
}

TEST(session_state, recipes_are_no_more_than_the_topology_allows) {
  auto plan = test::recipes_topology();
  plan.agents.front().drafts = 1;
  session_driver x{plan};
  x.answer(
    "", "",
    drafts_received{x.waiting("recipes"), {{"recipes#1", "h1", "a", ""}}, {}, {}, {"a", "b"}});
  x.judge("recipes#1", 2.0);
  EXPECT_EQ(x.count("recipes"), 0u);
  x.judge("recipes#1", 2.0);
  EXPECT_EQ(end_of(x), "as many recipes have been tried as 'drafts' allows");
}

TEST(session_state, a_recipe_search_that_fails_goes_no_further) {
  session_driver x{test::recipes_topology()};
  x.answer(
    "", "",
    drafts_received{x.waiting("recipes"), {{"recipes#1", "h1", "a", ""}}, {}, {}, {"a", "b"}});
  x.judge("recipes#1", 2.0);
  x.fail("recipes", errc::evaluator_failed);
  EXPECT_EQ(x.count("recipes"), 0u);
  x.judge("recipes#1", 2.0);
  EXPECT_THAT(end_of(x), HasSubstr("it broke"));
}

TEST(session_state, the_query_budget_is_used_up_and_never_overshot) {
  std::mt19937 random{7};
  for (int run = 0; run < 50; ++run) {
    session_driver x{test::small_topology()};
    auto llm_requests = [&] {
      return std::count_if(x.events.begin(), x.events.end(), [](auto& event) {
        auto* request = std::get_if<request_issued>(&event);
        return request != nullptr && request->target != "evaluator" && request->target != "recipes"
               && request->target != "profiler";
      });
    };
    while (!x.state.ended()) {
      auto i = x.state.in_flight().begin();
      std::advance(i, static_cast<long>(random() % x.state.in_flight().size()));
      auto request = i->second;
      if (request.target == "planner")
        x.answer("", "", ideas_received{request.id, {{"a", "b"}, "", {}}});
      else if (request.target == "profiler")
        x.answer("", "", insight_received{request.id, {}});
      else if (request.target == "recipes")
        x.fail("recipes", errc::evaluator_failed);
      else if (request.target == "evaluator")
        x.judge(request.subject, random() % 2 ? 1.0 + static_cast<double>(random() % 100) / 50 : 0);
      else if (random() % 10 == 0)
        x.fail(request.target, errc::provider_failed, request.subject);
      else
        x.code(request.target);
      ASSERT_LE(llm_requests(), 20);
    }
    EXPECT_EQ(llm_requests(), 20) << "run " << run;
    EXPECT_THAT(end_of(x), testing::StartsWith("the budget of 20 queries is used up"));
  }
}

TEST(session_state, who_is_out_of_budget_is_asked_no_more_and_others_go_on) {
  session_driver x{test::small_topology()};
  x.fail("recipes", errc::evaluator_failed);
  x.ideas({"fuse"});
  auto wrong = x.code("coder");
  x.judge(wrong, 0);
  x.fail("fixer", errc::budget_exhausted, wrong);
  EXPECT_EQ(x.count("fixer"), 0u);
  auto next = x.code("coder"); // its line ended, and another began
  x.judge(next, 0);
  EXPECT_EQ(x.count("fixer"), 0u) << "nobody mends it";
  EXPECT_GT(x.count("coder"), 0u);
}

TEST(session_state, a_planner_out_of_budget_is_no_reason_to_end) {
  session_driver x{test::small_topology()};
  x.fail("recipes", errc::evaluator_failed);
  x.fail("planner", errc::budget_exhausted);
  EXPECT_GT(x.count("coder"), 0u);
}

TEST(session_state, before_the_first_answer_no_more_is_asked_than_may_fail) {
  auto plan = test::small_topology();
  plan.search = {"best_of", 10, 4, 200};
  plan.budget.queries = 0;
  session_driver x{plan};
  x.ideas({"fuse"});
  EXPECT_GE(x.count("coder"), 45u);
  EXPECT_LE(x.count("coder"), 50u);
  x.code("coder");
  EXPECT_EQ(x.count("coder"), 199u) << "all of them at once";
}

TEST(session_state, a_search_whose_requests_all_fail_ends) {
  auto plan = test::small_topology();
  plan.budget.queries = 0;
  plan.budget.usd = 10;
  session_driver x{plan};
  x.fail("recipes", errc::evaluator_failed);
  x.ideas({"fuse"});
  auto failed = 0;
  for (; x.count("coder") > 0 && failed < 1'000; ++failed)
    x.fail("coder", errc::provider_failed);
  EXPECT_LT(failed, 100);
  EXPECT_THAT(end_of(x), testing::HasSubstr("requests in a row failed"));
}

TEST(session_state, a_session_ends_with_the_budget_that_ended_it) {
  session_driver x{test::small_topology()};
  x.fail("recipes", errc::evaluator_failed);
  x.fail("planner", errc::budget_exhausted);
  while (x.count("coder") > 0)
    x.fail("coder", errc::budget_exhausted);
  EXPECT_THAT(end_of(x), testing::StartsWith("it broke"));
}

namespace {

topology continuing_topology(std::int64_t queries) {
  auto result = test::small_topology();
  result.agents[1].continue_cut = true;
  result.search = {"best_of", 10, 4, 10};
  result.budget.queries = queries;
  return result;
}

// Answers the oldest request of a coder; its answer took that many queries.
void code_with(session_driver& x, std::int64_t queries) {
  auto id = x.state.next_candidate_id("coder");
  spend cost;
  cost.queries = queries;
  x.answer("", "",
           drafts_received{x.waiting("coder"), {{id, "hash of " + id, "", ""}}, {}, cost, {}});
}

} // namespace

TEST(session_state, an_answer_that_may_go_on_has_two_queries_set_aside) {
  session_driver x{continuing_topology(6)};
  x.fail("recipes", errc::evaluator_failed);
  x.ideas({"a"}); // one of six
  EXPECT_EQ(x.count("coder"), 3u);
  std::vector<std::int32_t> asides;
  for (auto& [id, request] : x.state.in_flight())
    asides.push_back(request.queries);
  EXPECT_THAT(asides, ElementsAre(2, 2, 1)) << "the last query is one that cannot go on";
  EXPECT_EQ(x.state.cost().queries, 6);
  code_with(x, 2);
  EXPECT_EQ(x.count("coder"), 2u) << "both were used";
  code_with(x, 1);
  EXPECT_EQ(x.count("coder"), 2u) << "one was given back, and is used by another";
  EXPECT_EQ(x.state.cost().queries, 6);
}

TEST(session_state, a_request_says_how_many_queries_it_may_take) {
  session_driver x{continuing_topology(20)};
  x.ideas({"a"});
  auto& request = x.state.in_flight().at(x.waiting("coder"));
  EXPECT_EQ(std::get<assignment>(x.state.message_for(request)).queries, 2);
}

TEST(session_state, a_request_that_fails_counts_as_one_query) {
  session_driver x{continuing_topology(4)};
  x.fail("recipes", errc::evaluator_failed);
  x.ideas({"a"});
  ASSERT_EQ(x.count("coder"), 2u);
  x.fail("coder", errc::provider_failed);
  EXPECT_EQ(x.state.cost().queries, 4);
  EXPECT_EQ(x.count("coder"), 2u);
}

TEST(session_state, the_winner_is_timed_again_before_the_end) {
  auto plan = test::small_topology();
  plan.budget.queries = 2; // planner and one coder
  session_driver x{plan};
  x.fail("recipes", errc::evaluator_failed);
  x.ideas({"fuse"});
  auto id = x.code("coder");
  x.judge(id, 3.0);
  x.answer("", "", insight_received{x.waiting("profiler"), {}});
  auto again = x.state.in_flight().at(x.waiting("evaluator", id));
  EXPECT_TRUE(again.confirm);
  x.judge(id, 2.0);
  EXPECT_EQ(end_of(x), "the budget of 2 queries is used up; 1 request failed, the last one because: "
                       "it broke");
  EXPECT_DOUBLE_EQ(x.state.best()->speedup(), 2.0) << "the second measurement counts";
}

TEST(session_state, a_winner_that_shrinks_below_the_next_one_has_that_timed_again_too) {
  session_driver x{test::recipes_topology()};
  x.answer("", "", drafts_received{x.waiting("recipes"),
                                   {{"recipes#1", "h1", "a", ""}, {"recipes#2", "h2", "b", ""}},
                                   {},
                                   {}});
  x.judge("recipes#1", 3.0);
  x.judge("recipes#2", 2.5);
  x.judge("recipes#1", 1.2);
  EXPECT_TRUE(x.state.in_flight().at(x.waiting("evaluator", "recipes#2")).confirm);
  x.judge("recipes#2", 2.4);
  EXPECT_EQ(x.state.best()->id, "recipes#2");
  EXPECT_EQ(end_of(x), "every recipe has been tried");
}

TEST(session_state, stopping_issues_nothing_new_and_does_not_end_the_session) {
  session_driver x{test::small_topology()};
  x.state.apply(ideas_received{x.waiting("planner"), {{"fuse"}, "", {}}});
  EXPECT_FALSE(x.state.next(0, true));
  x.state.apply(request_failed{x.waiting("recipes"), errc::evaluator_failed, ""});
  EXPECT_FALSE(x.state.next(0, true));
  EXPECT_FALSE(x.state.ended());
}

TEST(session_state, the_wall_clock_budget_stops_new_queries) {
  auto plan = test::small_topology();
  plan.budget.wall = 100;
  session_driver x{plan};
  x.fail("recipes", errc::evaluator_failed);
  x.answer("", "", ideas_received{x.waiting("planner"), {{"fuse"}, "", {}}}, 101);
  EXPECT_EQ(x.count("coder"), 0u);
  EXPECT_THAT(end_of(x), testing::StartsWith("the budget of 100 s is used up"));
}

TEST(session_state, a_refused_key_ends_the_session_once_the_rest_has_come_in) {
  session_driver x{test::small_topology()};
  x.fail("planner", errc::provider_refused);
  EXPECT_FALSE(x.state.ended());
  x.fail("recipes", errc::evaluator_failed);
  ASSERT_TRUE(x.state.ended());
  EXPECT_TRUE(x.state.ended()->failed);
}

TEST(session_state, a_changed_topology_routes_from_the_next_output_on) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  auto plan = test::small_topology();
  std::erase_if(plan.agents, [](auto& agent) { return agent.name == "fixer"; });
  std::erase_if(plan.routes, [](auto& route) {
    return route.source == "fixer" || route.port == "rejected";
  });
  x.record(topology_changed{plan});
  x.judge(x.code("coder"), 0);
  EXPECT_EQ(x.count("fixer"), 0u);
  EXPECT_EQ(x.count("coder"), 4u);
}

TEST(session_state, of_two_coders_the_one_with_less_to_do_gets_the_next_assignment) {
  auto plan = test::small_topology();
  auto second = *plan.agent("coder");
  second.name = "careful";
  plan.agents.push_back(second);
  for (auto& route : plan.routes)
    if (route.source == "search")
      route.targets = {"coder", "careful"};
  plan.routes.push_back({"careful", "candidate", {"evaluator"}});
  session_driver x{plan};
  x.ideas({"fuse"});
  EXPECT_EQ(x.count("coder"), 2u);
  EXPECT_EQ(x.count("careful"), 2u);
}

TEST(session_state, folding_the_same_events_again_gives_the_same_state_and_decisions) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse", "tile"});
  x.judge(x.code("coder"), 0);
  x.judge(x.code("coder"), 2.0);
  x.code("fixer");
  session_state again;
  for (auto& event : x.events)
    again.apply(event);
  EXPECT_EQ(again.status().tried, x.state.status().tried);
  EXPECT_EQ(again.cost().queries, x.state.cost().queries);
  ASSERT_EQ(again.in_flight().size(), x.state.in_flight().size());
  for (auto& [id, request] : x.state.in_flight())
    EXPECT_EQ(again.in_flight().at(id).target, request.target);
  EXPECT_EQ(again.best()->id, x.state.best()->id);
}

TEST(session_state, origins_say_where_a_candidate_came_from) {
  session_driver x{test::small_topology()};
  x.ideas({"fuse"});
  auto first = x.code("coder");
  EXPECT_EQ(x.state.find(first)->origin, "coder#1 <- planner idea 1");
  x.judge(first, 0);
  EXPECT_EQ(x.state.find(x.code("fixer"))->origin, "fixer#1 <- coder#1");
}
