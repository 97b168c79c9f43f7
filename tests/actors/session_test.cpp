#include "actors/session.hpp"

#include "actors/session_journal.hpp"
#include "messages/error.hpp"
#include "tests/support/fake_world.hpp"
#include "tests/support/test_system.hpp"
#include "tests/support/topologies.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

using namespace lathe;
using namespace lathe::actors;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s; // not expected to pass

class session_actor_test : public testing::Test {
protected:
  void TearDown() override {
    for (auto& session : sessions) // the clock still knows them: see agent_pool_state
      caf::anon_send_exit(session, caf::exit_reason::kill);
  }

  session_actor spawn(session_options x) {
    sessions.push_back(spawn_session(system.get(), std::move(x)));
    return sessions.back();
  }

  session_options fresh_options(topology plan) {
    session_options x;
    x.name = "mlp";
    x.past = {session_started{task{"mlp", "mlp.py", "class Model: ..."}, std::move(plan)}};
    x.peers = world.peers();
    x.clock = [] { return 0.0; };
    x.observe = [this](const session_state& state, const session_event& event) {
      std::lock_guard guard{mutex};
      last = state.status();
      ended = ended || std::holds_alternative<session_ended>(event);
      changed.notify_all();
    };
    return x;
  }

  bool wait_for_end() {
    std::unique_lock guard{mutex};
    return changed.wait_for(guard, patience, [this] { return ended; });
  }

  std::size_t count(std::string_view kind) {
    auto all = world.records();
    return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](auto& x) { return x.kind == kind; }));
  }

  std::mutex mutex; // before the system: sessions use these until they end
  std::condition_variable changed;
  session_status last;
  bool ended = false;
  test::test_system system;
  test::fake_world world{system.get()};
  std::vector<session_actor> sessions;
  caf::scoped_actor self{system.get()};
};

} // namespace

TEST_F(session_actor_test, works_until_the_budget_is_used_up_and_journals_every_step) {
  auto session = spawn(fresh_options(test::small_topology()));
  self->send(session, start_atom_v);
  ASSERT_TRUE(wait_for_end());
  EXPECT_EQ(last.cost.queries, 20);
  EXPECT_EQ(world.coded, 19) << "one query was the planner's";
  EXPECT_DOUBLE_EQ(last.speedup, 2.0);
  EXPECT_EQ(count("session_started"), 1u);
  EXPECT_EQ(count("session_ended"), 1u);
  EXPECT_EQ(count("request_issued"), count("verdict_received") + count("drafts_received")
                                       + count("ideas_received") + count("insight_received")
                                       + count("task_prepared"));
}

TEST_F(session_actor_test, gives_its_task_up_when_it_ends) {
  auto session = spawn(fresh_options(test::recipes_topology()));
  self->send(session, start_atom_v);
  ASSERT_TRUE(wait_for_end());
  self
    ->request(world.peers().evaluator, patience, recipe_request{}) // heard after that
    .receive([](const recipe_book&) {}, [](const caf::error& why) { FAIL() << describe(why); });
  EXPECT_EQ(world.released, 1);
}

TEST_F(session_actor_test, the_journal_alone_rebuilds_the_state) {
  int asked = 0;
  world.judge = [&](const evaluation_request&) { return test::verdict_of(++asked % 3 ? 0 : asked); };
  auto session = spawn(fresh_options(test::small_topology()));
  self->send(session, start_atom_v);
  ASSERT_TRUE(wait_for_end());
  session_state again;
  for (auto& record : world.records())
    again.apply(*from_record(record));
  EXPECT_EQ(again.status().tried, last.tried);
  EXPECT_EQ(again.status().best, last.best);
  EXPECT_EQ(again.status().speedup, last.speedup);
  EXPECT_TRUE(again.ended());
}

TEST_F(session_actor_test, a_session_that_was_cut_off_goes_on_without_asking_twice_for_what_it_has) {
  auto first = spawn(fresh_options(test::small_topology()));
  self->send(first, start_atom_v);
  ASSERT_TRUE(wait_for_end());
  auto all = world.records();
  auto options = fresh_options(test::small_topology());
  options.past.clear();
  options.fresh = false;
  for (std::size_t i = 0; i < all.size() / 2; ++i)
    options.past.push_back(*from_record(all[i]));
  auto coded_before = world.coded.load();
  ended = false;
  auto second = spawn(std::move(options));
  self->send(second, start_atom_v);
  ASSERT_TRUE(wait_for_end());
  EXPECT_EQ(last.cost.queries, 20) << "the budget counts what the first run spent";
  EXPECT_LT(world.coded - coded_before, 19);
  EXPECT_EQ(world.prepared, 2) << "the task is loaded once by each run";
}

TEST_F(session_actor_test, a_journal_that_cannot_be_written_ends_the_session_before_any_effect) {
  world.disk_full = true;
  auto session = spawn(fresh_options(test::small_topology()));
  self->monitor(session);
  self->send(session, start_atom_v);
  caf::error reason;
  self->receive([&](const caf::down_msg& x) { reason = x.reason; }, caf::after(patience) >> [] {});
  EXPECT_EQ(reason, errc::journal_failed);
  EXPECT_EQ(world.prepared, 0);
}

TEST_F(session_actor_test, an_evaluator_that_fails_on_one_candidate_does_not_stop_the_session) {
  world.judge = [](const evaluation_request& x) -> caf::result<verdict> {
    if (x.subject.id == "coder#1")
      return make_error(errc::dead_letter, "it killed three judges");
    return test::verdict_of(2.0);
  };
  auto session = spawn(fresh_options(test::small_topology()));
  self->send(session, start_atom_v);
  ASSERT_TRUE(wait_for_end());
  EXPECT_EQ(count("request_failed"), 1u);
  EXPECT_EQ(last.cost.queries, 20);
}

TEST_F(session_actor_test, a_model_that_nobody_serves_ends_the_session_and_stays_in_flight) {
  world.plan_error = make_error(errc::provider_unreachable, "nobody listens at :9");
  auto session = spawn(fresh_options(test::small_topology()));
  self->monitor(session);
  self->send(session, start_atom_v);
  caf::error reason;
  self->receive([&](const caf::down_msg& x) { reason = x.reason; }, caf::after(patience) >> [] {});
  EXPECT_EQ(reason, errc::provider_unreachable);
  EXPECT_EQ(count("request_failed"), 0u) << "a resumed run asks again";
  EXPECT_EQ(count("session_ended"), 0u);
}

TEST_F(session_actor_test, a_lost_device_ends_the_session_and_the_candidate_stays_in_flight) {
  world.judge = [](const evaluation_request&) -> caf::result<verdict> {
    return make_error(errc::device_lost, "cuda:0 did not recover");
  };
  auto session = spawn(fresh_options(test::small_topology()));
  self->monitor(session);
  self->send(session, start_atom_v);
  caf::error reason;
  self->receive([&](const caf::down_msg& x) { reason = x.reason; }, caf::after(patience) >> [] {});
  EXPECT_EQ(reason, errc::device_lost);
  EXPECT_EQ(count("request_failed"), 0u) << "a resumed run asks again";
  EXPECT_EQ(count("session_ended"), 0u);
}

TEST_F(session_actor_test, an_overloaded_peer_is_asked_again_and_nothing_is_lost) {
  std::atomic<int> refusals{3};
  world.judge = [&](const evaluation_request&) -> caf::result<verdict> {
    if (refusals-- > 0)
      return make_error(errc::overloaded, "try later");
    return test::verdict_of(2.0);
  };
  auto session = spawn(fresh_options(test::recipes_topology()));
  self->send(session, start_atom_v);
  ASSERT_TRUE(wait_for_end());
  EXPECT_EQ(count("request_failed"), 0u);
  EXPECT_EQ(last.tried, 1);
}

TEST_F(session_actor_test, stop_answers_when_nothing_paid_for_is_out) {
  auto session = spawn(fresh_options(test::small_topology()));
  self->send(session, start_atom_v);
  bool stopped = false;
  self->request(session, patience, stop_atom_v)
    .receive([&] { stopped = true; }, [](const caf::error&) {});
  EXPECT_TRUE(stopped);
}

TEST_F(session_actor_test, a_changed_topology_is_journaled_and_used) {
  auto session = spawn(fresh_options(test::small_topology()));
  auto plan = test::small_topology();
  plan.budget.queries = 30;
  self->send(session, start_atom_v);
  self->send(session, session_update{plan, world.peers().agents});
  ASSERT_TRUE(wait_for_end());
  EXPECT_EQ(count("topology_changed"), 1u);
  EXPECT_EQ(last.cost.queries, 30);
}
