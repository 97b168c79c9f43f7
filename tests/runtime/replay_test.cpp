#include "runtime/replay.hpp"

#include "actors/session_journal.hpp"
#include "messages/event_json.hpp"
#include "tests/runtime/journal/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::test;
using runtime::journal_store;
using testing::HasSubstr;

namespace {

topology with_agents() {
  topology result;
  for (auto [name, role] : {std::pair{"coder", role::coder}, std::pair{"fixer", role::fixer},
                            std::pair{"profiler", role::profiler}}) {
    result.agents.emplace_back();
    result.agents.back().name = name;
    result.agents.back().role = role;
  }
  return result;
}

journal_record begin(topology plan) {
  actors::session_started begun;
  begun.subject.name = "mlp";
  begun.plan = std::move(plan);
  return actors::to_record("mlp", begun);
}

// What is wrong with a journal that holds these.
std::string problem_of(const std::filesystem::path& file, std::vector<journal_record> records) {
  std::filesystem::remove(file);
  auto store = journal_store::open_or_create(file);
  EXPECT_TRUE(store->append(records));
  return sentence(runtime::read_past(*store));
}

class replay : public temporary_folder {
protected:
  replay() {
    auto written = store.append({begin(with_agents())});
    EXPECT_TRUE(written) << sentence(written);
  }

  std::string problem() {
    return sentence(runtime::read_past(store));
  }

  std::string problem(const actors::request_issued& x) const {
    return problem_of(folder / "other.sqlite", {begin(with_agents()), actors::to_record("mlp", x)});
  }

  std::string problem(topology plan) const {
    return problem_of(folder / "other.sqlite", {begin(std::move(plan))});
  }

  void append(std::string kind, std::string payload, double time = 0) {
    auto written = store.append({make_record("mlp", std::move(kind), std::move(payload), time)});
    EXPECT_TRUE(written) << sentence(written);
  }

  journal_store store = std::move(*journal_store::open_or_create(folder / "journal.sqlite"));
};

const lease_span span{"cpu", 1, lease_kind::exclusive, 0, 10, 12, 15, false};

} // namespace

TEST_F(replay, leases_are_no_part_of_a_session) {
  append("lease", to_json(span));
  auto past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_EQ(past->sessions.at("mlp").events.size(), 1u);
  auto devices = past->leases.devices();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_EQ(devices[0].exclusive, 3);
}

TEST_F(replay, a_journal_without_leases_has_no_devices) {
  auto past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_EQ(past->sessions.size(), 1u);
  EXPECT_TRUE(past->leases.devices().empty());
}

TEST_F(replay, leases_can_be_read_alone) {
  append("lease", to_json(span));
  auto leases = runtime::read_leases(store);
  ASSERT_TRUE(leases) << sentence(leases);
  EXPECT_EQ(leases->devices().front().leases, 1);
}

TEST_F(replay, the_latest_news_of_a_device_hold_until_it_is_used_again) {
  append("device", to_json(device_event{"cpu", device_state::quarantined, "no context"}), 11);
  append("device", to_json(device_event{"cpu", device_state::lost, "no context"}), 11.5);
  auto past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_EQ(past->sessions.at("mlp").events.size(), 1u);
  EXPECT_EQ(past->devices.at("cpu").event.state, device_state::lost);
  append("lease", to_json(span));
  past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_TRUE(past->devices.empty()) << "a lease was granted at 12";
}

TEST_F(replay, a_session_that_is_a_path_is_refused) {
  using namespace std::string_literals;
  for (const auto& name : {"../../evil"s, "/evil"s, "."s, ".."s, ""s, "a\0b"s}) {
    actors::session_started begun;
    begun.subject.name = name;
    EXPECT_THAT(problem_of(folder / "other.sqlite", {actors::to_record(name, begun)}),
                HasSubstr("which cannot be the name of a file"));
  }
}

TEST_F(replay, a_session_of_another_name_than_its_task_is_refused) {
  actors::session_started begun;
  begun.subject.name = "scan";
  append("session_started", to_json(begun));
  EXPECT_EQ(problem(),
            "event 2 (session_started) begins the session \"mlp\" with the task \"scan\"");
}

TEST_F(replay, a_session_begins_once) {
  actors::session_started begun;
  begun.subject.name = "mlp";
  append("session_started", to_json(begun));
  EXPECT_EQ(problem(), "event 2 (session_started) begins a session that has begun");
  EXPECT_TRUE(failed_with(runtime::read_past(store), errc::user_error));
}

TEST_F(replay, nothing_happens_to_a_session_that_has_not_begun) {
  ASSERT_TRUE(store.append({actors::to_record("scan", actors::request_issued{})}));
  EXPECT_EQ(problem(), "event 2 (request_issued) is of a session that has not begun");
}

TEST_F(replay, what_a_request_is_about_has_to_be_there) {
  const auto absent = "event 2 (request_issued) is about a candidate, an idea or a line of work "
                      "that is not there";
  actors::request_issued x;
  x.target = "coder";
  x.line = 1; // it begins the first, 0
  EXPECT_EQ(problem(x), absent);
  x.line = 0;
  EXPECT_EQ(problem(x), "no error");
  x.idea = 0;
  EXPECT_EQ(problem(x), absent);
  x = {};
  x.target = "fixer";
  EXPECT_EQ(problem(x), absent) << "of no line";
  x = {};
  x.target = "profiler";
  EXPECT_EQ(problem(x), absent) << "of no candidate";
  x.target = "evaluator";
  EXPECT_EQ(problem(x), "no error");
  x.confirm = true;
  EXPECT_EQ(problem(x), absent);
  x = {};
  x.line = -2;
  EXPECT_EQ(problem(x), absent);
}

TEST_F(replay, a_plan_that_cannot_be_followed_is_refused) {
  topology plan = with_agents();
  plan.search.policy = "newer";
  EXPECT_EQ(problem(plan),
            "event 1 (session_started) names the search policy \"newer\", which this "
            "version does not know");
  plan = with_agents();
  plan.routes = {{"task", "", {"fixer"}}};
  EXPECT_EQ(problem(plan), "event 1 (session_started) has the route \"task -> fixer\", which does "
                           "not fit");
  plan.routes = {{"evaluator", "rejected", {"fixer"}}};
  EXPECT_EQ(problem(plan), "no error");
  plan.agents[1].name = "evaluator";
  plan.routes.clear();
  EXPECT_EQ(problem(plan),
            "event 1 (session_started) has an agent \"evaluator\", which is the name "
            "of another");
}

TEST_F(replay, a_damaged_lease_names_its_event) {
  append("lease", "{}");
  auto past = runtime::read_past(store);
  ASSERT_FALSE(past);
  EXPECT_EQ(past.error(), errc::journal_failed);
  EXPECT_NE(sentence(past).find("event 2 (lease)"), std::string::npos) << sentence(past);
}
