#include "actors/session.hpp"

#include "actors/session_journal.hpp"
#include "messages/error.hpp"
#include "tests/support/fake_world.hpp"
#include "tests/support/test_system.hpp"
#include "tests/support/topologies.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <semaphore>
#include <set>

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
      ended = ended || std::holds_alternative<session_ended>(event)
              || std::holds_alternative<session_suspended>(event);
      changed.notify_all();
    };
    return x;
  }

  bool wait_for_end() {
    std::unique_lock guard{mutex};
    return changed.wait_for(guard, patience, [this] { return ended; });
  }

  /// Starts a session that cannot go on.
  caf::error why_it_quits() {
    auto session = spawn(fresh_options(test::small_topology()));
    self->monitor(session);
    self->send(session, start_atom_v);
    caf::error result;
    self->receive([&](const caf::down_msg& x) { result = x.reason; },
                  caf::after(patience) >> [] {});
    return result;
  }

  /// The options of `fresh_options`, from what the journal holds.
  session_options resumed_options() {
    auto x = fresh_options({});
    x.past.clear();
    x.fresh = false;
    for (auto& record : world.records())
      x.past.push_back(*from_record(record));
    x.texts = world.texts();
    ended = false;
    return x;
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
  EXPECT_EQ(why_it_quits(), errc::journal_failed);
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
  EXPECT_EQ(why_it_quits(), errc::provider_unreachable);
  EXPECT_EQ(count("request_failed"), 0u) << "a resumed run asks again";
  EXPECT_EQ(count("session_ended"), 0u);
}

// Small events may still fit where an answer does not.
TEST_F(session_actor_test, an_answer_that_cannot_be_journaled_ends_the_session_and_is_no_failure) {
  world.refuse_to_code = [](const assignment&) {
    return make_error(errc::journal_failed, "an answer could not be journaled");
  };
  EXPECT_EQ(why_it_quits(), errc::journal_failed);
  EXPECT_EQ(count("request_failed"), 0u) << "a resumed run asks again";
}

TEST_F(session_actor_test, a_lost_device_ends_the_session_and_the_candidate_stays_in_flight) {
  world.judge = [](const evaluation_request&) -> caf::result<verdict> {
    return make_error(errc::device_lost, "cuda:0 did not recover");
  };
  EXPECT_EQ(why_it_quits(), errc::device_lost);
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

namespace {

/// Coders whose questions have not gone out when the session has them drained.
class drained_session : public session_actor_test {
protected:
  drained_session() {
    world.refuse_to_code = [this](const assignment&) -> caf::error {
      asked.release();
      return why.get();
    };
    options = fresh_options(test::small_topology());
    options.drain = [this](const caf::error& x) { drained.set_value(x); };
  }

  topology& plan() {
    return std::get<session_started>(options.past.front()).plan;
  }

  session_options options;
  std::promise<caf::error> drained;
  std::shared_future<caf::error> why = drained.get_future().share();
  std::counting_semaphore<> asked{0};
};

} // namespace

TEST_F(drained_session, a_stop_waits_for_none_of_them_and_they_stay_in_flight) {
  auto session = spawn(options);
  self->send(session, start_atom_v);
  asked.acquire();
  bool stopped = false;
  self->request(session, patience, stop_atom_v)
    .receive([&] { stopped = true; }, [](const caf::error&) {});
  EXPECT_TRUE(stopped);
  EXPECT_EQ(count("request_failed"), 0u);
  EXPECT_EQ(count("session_ended"), 0u);
}

TEST_F(drained_session, time_that_is_up_ends_it_and_they_are_no_failures) {
  plan().budget.wall = 0.05;
  options.clock = [began = std::chrono::steady_clock::now()] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  self->send(spawn(options), start_atom_v);
  ASSERT_TRUE(wait_for_end());
  EXPECT_GT(count("request_failed"), 0u);
  auto last_record = world.records().back();
  ASSERT_EQ(last_record.kind, "session_ended");
  EXPECT_EQ(std::get<session_ended>(*from_record(last_record)).reason,
            "the budget of 0 s is used up");
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

// -- mailboxes ----------------------------------------------------------------------------------

namespace {

/// Coders whose questions go into a mailbox.
class mailbox_session : public session_actor_test {
protected:
  mailbox_session() {
    world.refuse_to_code = [this](const assignment& x) -> caf::error {
      std::lock_guard guard{mutex};
      questions[x.id].insert(caf::deep_to_string(x));
      if (is_answered(x.id, ++looks[x.id]))
        return {};
      return make_error(errc::awaits_mailbox, "no answer yet");
    };
  }

  static topology plan() {
    auto result = test::small_topology();
    result.models.push_back(result.models[0]);
    result.models[0].provider = provider_kind::mailbox;
    result.models[1].name = "other";
    for (auto& agent : result.agents)
      if (agent.role == role::planner || agent.role == role::fixer)
        agent.model = "other";
    return result;
  }

  session_options options_with(session_options x) {
    x.look_again = 1ms;
    return x;
  }

  void work(session_options x) {
    self->send(spawn(options_with(std::move(x))), start_atom_v);
    ASSERT_TRUE(wait_for_end());
  }

  std::function<bool(request_id, int)> is_answered = [](request_id, int) { return false; };
  std::map<request_id, int> looks;                       // guarded by mutex, like the next
  std::map<request_id, std::set<std::string>> questions; // in the words in which they were asked
};

} // namespace

TEST_F(mailbox_session, is_suspended_when_nothing_else_is_left_and_one_more_look_finds_nothing) {
  work(fresh_options(plan()));
  EXPECT_EQ(last.state, "suspended");
  EXPECT_FALSE(last.finished);
  EXPECT_EQ(last.waiting, (std::map<std::string, std::int32_t>{{"fast", 4}}));
  EXPECT_EQ(count("session_suspended"), 1u);
  EXPECT_EQ(count("request_failed"), 0u);
  EXPECT_EQ(count("session_ended"), 0u);
  EXPECT_EQ(looks.size(), 4u);
  for (auto& [id, times] : looks)
    EXPECT_GE(times, 2) << id;
  EXPECT_GE(last.tried, 1) << "recipes were tried meanwhile";
}

TEST_F(mailbox_session, goes_on_with_the_answers_when_it_is_taken_up) {
  auto rounds = 0;
  for (auto options = fresh_options(plan()); rounds < 30; options = resumed_options(), ++rounds) {
    work(std::move(options));
    if (last.finished)
      break;
    std::set<request_id> answered;
    for (auto& [id, times] : looks)
      if (answered.size() < 3)
        answered.insert(id);
    looks.clear();
    is_answered = [answered](request_id id, int) { return answered.contains(id); };
  }
  EXPECT_EQ(last.state, "done");
  EXPECT_GE(rounds, 5);
  EXPECT_EQ(last.cost.queries, 20) << "what waited was issued once";
  EXPECT_EQ(world.coded, 19);
  EXPECT_EQ(count("session_suspended"), static_cast<std::size_t>(rounds));
}

TEST_F(mailbox_session, a_question_reads_the_same_whenever_it_is_asked) {
  world.judge = [](const evaluation_request& x) { // lessons come in while questions wait
    return test::verdict_of(x.subject.id.starts_with("fixer") ? 2.0 : 0);
  };
  auto answers_one_in_three = [](request_id id, int times) {
    return times > (id % 3 == 0 ? 1 : 6);
  };
  is_answered = answers_one_in_three;
  auto options = fresh_options(plan());
  for (int rounds = 0; rounds < 30; ++rounds) {
    work(std::move(options));
    if (last.finished)
      break;
    options = resumed_options();
  }
  EXPECT_TRUE(last.finished);
  EXPECT_GT(count("session_suspended"), 0u);
  for (auto& [id, words] : questions)
    EXPECT_EQ(words.size(), 1u) << *words.begin() << "\n" << *words.rbegin();
}

TEST_F(mailbox_session, answers_that_come_while_it_lingers_are_used) {
  is_answered = [](request_id, int times) { return times > 5; };
  auto options = fresh_options(plan());
  options.linger = 3600;
  work(std::move(options));
  EXPECT_EQ(last.state, "done");
  EXPECT_EQ(count("session_suspended"), 0u);
  EXPECT_EQ(last.cost.queries, 20);
}

TEST_F(mailbox_session, lingers_no_longer_than_it_shall) {
  std::atomic<int> hours{0};
  is_answered = [&](request_id, int times) {
    hours = times;
    return false;
  };
  auto options = fresh_options(plan());
  options.clock = [&] { return 3600.0 * hours; };
  options.linger = 5 * 3600;
  work(std::move(options));
  EXPECT_EQ(last.state, "suspended");
  EXPECT_GE(looks.begin()->second, 5);
}

TEST_F(mailbox_session, nobody_who_stops_waits_for_a_mailbox) {
  auto options = fresh_options(plan());
  options.linger = 3600;
  auto session = spawn(options_with(std::move(options)));
  self->send(session, start_atom_v);
  bool stopped = false;
  self->request(session, patience, stop_atom_v)
    .receive([&] { stopped = true; }, [](const caf::error&) {});
  EXPECT_TRUE(stopped);
  EXPECT_EQ(count("session_suspended"), 0u);
}

TEST_F(mailbox_session, is_not_set_going_by_another_topology) {
  work(fresh_options(plan()));
  auto other = plan();
  other.budget.queries = 30;
  auto issued = count("request_issued");
  self->send(sessions.back(), session_update{other, world.peers().agents});
  self->request(sessions.back(), patience, status_atom_v)
    .receive([&](const session_status& x) { EXPECT_EQ(x.state, "suspended"); },
             [](const caf::error& why) { FAIL() << describe(why); });
  EXPECT_EQ(count("request_issued"), issued);
}
