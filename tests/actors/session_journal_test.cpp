#include "actors/session_journal.hpp"

#include "messages/error.hpp"
#include "tests/support/topologies.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::actors;

namespace {

template <class Event>
Event round_trip(const Event& x) {
  auto record = to_record("mlp", x);
  EXPECT_EQ(record.session, "mlp");
  EXPECT_EQ(record.kind, Event::kind);
  auto back = from_record(record);
  EXPECT_TRUE(back) << describe(back.error());
  return back ? std::get<Event>(*back) : Event{};
}

} // namespace

TEST(session_journal, a_topology_comes_back_as_it_was_but_without_keys) {
  auto plan = test::small_topology();
  plan.models.front().api_key = "sk-secret";
  plan.models.front().temperature = 0.8;
  plan.budget.usd = 0.1 + 0.2;
  session_started event{task{"mlp", "mlp.py", "line 1\nline \"2\" \\ \t\x01 ü"}, plan};
  EXPECT_EQ(to_record("mlp", event).payload.find("sk-secret"), std::string::npos);
  auto back = round_trip(event);
  EXPECT_EQ(back.subject.source, event.subject.source);
  EXPECT_EQ(back.plan.agents, plan.agents);
  EXPECT_EQ(back.plan.routes, plan.routes);
  EXPECT_EQ(back.plan.search, plan.search);
  EXPECT_EQ(back.plan.evaluator, plan.evaluator);
  EXPECT_EQ(back.plan.budget, plan.budget);
  EXPECT_EQ(back.plan.models.front().temperature, 0.8);
  EXPECT_EQ(back.plan.models.front().api_key, "");
}

TEST(session_journal, an_issued_request_comes_back_with_idea_and_parents) {
  request_issued event{7, "coder", "", 3, 2, {"coder#1", "recipes#2"}, true, 12.25};
  auto back = round_trip(event);
  EXPECT_EQ(back.id, 7u);
  EXPECT_EQ(back.line, 3);
  EXPECT_EQ(back.idea, 2);
  EXPECT_EQ(back.parents, event.parents);
  EXPECT_TRUE(back.confirm);
  EXPECT_EQ(back.elapsed, 12.25);
  EXPECT_EQ(back.queries, 1);
  event.idea.reset();
  event.queries = 2;
  EXPECT_FALSE(round_trip(event).idea);
  EXPECT_EQ(round_trip(event).queries, 2);
}

TEST(session_journal, a_request_of_an_older_journal_takes_one_query) {
  journal_record older;
  older.session = "mlp";
  older.kind = request_issued::kind;
  older.payload = R"({"id":7,"target":"coder","subject":"","line":3,"idea":null,"parents":[],)"
                  R"("confirm":false,"elapsed":12.25})";
  auto back = from_record(older);
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_EQ(std::get<request_issued>(*back).queries, 1);
}

TEST(session_journal, a_verdict_comes_back_to_the_last_digit) {
  verdict x;
  x.outcome = outcome::refused;
  x.rule = "cached-output";
  x.evidence = "9.8 times";
  x.timing = timing{1.0 / 3, 0.1, 10.0 / 3, 3.3, 3.4, 200, 20};
  x.stages = {{"build", 0.1, 0.2, 0.3}};
  auto back = round_trip(verdict_received{1, "coder#3", x});
  EXPECT_EQ(back.subject, "coder#3");
  EXPECT_EQ(back.answer.outcome, outcome::refused);
  EXPECT_EQ(back.answer.timing->reference, 1.0 / 3);
  EXPECT_EQ(back.answer.timing->samples, 200);
  EXPECT_FALSE(back.answer.correctness);
  ASSERT_EQ(back.answer.stages.size(), 1u);
  EXPECT_EQ(back.answer.stages[0].queued, 0.3);
}

TEST(session_journal, the_other_events_come_back) {
  EXPECT_EQ(round_trip(ideas_received{1, {{"a", "b"}, "", {1, 2, 3, 4, 0.5}}}).answer.cost.usd, 0.5);
  EXPECT_EQ(round_trip(drafts_received{1, {{"coder#1", "abc", "", "no code"}}, {"fold: none"}, {}})
              .drafts.at(0)
              .problem,
            "no code");
  EXPECT_EQ(round_trip(insight_received{1, {"memory bound", {}}}).answer.text, "memory bound");
  EXPECT_EQ(round_trip(request_failed{1, errc::dead_letter, "x"}).code, errc::dead_letter);
  EXPECT_EQ(round_trip(topology_changed{test::recipes_topology()}).plan.name, "recipes");
  EXPECT_TRUE(round_trip(session_ended{"no model", true}).failed);
  EXPECT_EQ(round_trip(task_prepared{{{}, {{"eager", 0.5}}, "", ""}}).profile.baselines.at(0).name,
            "eager");
}

TEST(session_journal, an_unknown_kind_is_named) {
  journal_record record{12, 0, "mlp", "teleported", "{}"};
  auto x = from_record(record);
  ASSERT_FALSE(x);
  EXPECT_EQ(describe(x.error()), "event 12 is of kind 'teleported', which this version does not know");
}

TEST(session_journal, a_broken_payload_is_an_error) {
  journal_record record{12, 0, "mlp", "request_issued", "{\"id\": "};
  EXPECT_EQ(from_record(record).error(), errc::journal_failed);
}
