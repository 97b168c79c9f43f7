#include "actors/agent_pool.hpp"

#include "tests/support/test_system.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

using namespace lathe;
using namespace lathe::actors;
using namespace std::chrono_literals;

namespace {

using coder_pool = pool_of<assignment, draft>;

constexpr auto patience = 20s; // not expected to pass

assignment about(const std::string& idea) {
  assignment result;
  result.idea = idea;
  return result;
}

agent_config coders(std::int32_t instances) {
  agent_config result;
  result.name = "coder";
  result.instances = instances;
  return result;
}

pool_limits quick() {
  pool_limits result;
  result.first_backoff = 1ms;
  result.longest_backoff = 4ms;
  return result;
}

/// Agents that answer with the idea, throw at "bomb", and refuse "no" with an error of ours.
struct fake_agents {
  std::atomic<int> made{0};
  std::atomic<int> bombs_left{1000};

  agent_factory<assignment, draft> factory() {
    return [this](caf::actor_system& sys, const agent_config& config) -> coder_actor {
      ++made;
      auto label = config.model;
      return sys.spawn([this, label](coder_actor::pointer) -> coder_actor::behavior_type {
        return {[this, label](assignment& x) -> caf::result<draft> {
          if (x.idea == "bomb" && bombs_left-- > 0)
            throw std::runtime_error("boom");
          if (x.idea == "no")
            return make_error(errc::bad_answer, "no code");
          return draft{x.idea, label, "", {}};
        }};
      });
    };
  }
};

/// Keeps requests until the test lets them go.
using gate_actor = coder_actor::extend<caf::result<void>(flush_atom)>;

struct gate_state {
  std::vector<caf::typed_response_promise<draft>> waiting;
};

gate_actor::behavior_type gate(gate_actor::stateful_pointer<gate_state> self) {
  return {
    [self](assignment&) -> caf::result<draft> {
      auto promise = self->make_response_promise<draft>();
      self->state.waiting.push_back(promise);
      return promise;
    },
    [self](flush_atom) {
      for (auto& promise : self->state.waiting)
        promise.deliver(draft{"late", "", "", {}});
      self->state.waiting.clear();
    },
  };
}

/// Makes agents that answer when `behind` does.
agent_factory<assignment, draft> slow_agents(gate_actor behind) {
  return [behind](caf::actor_system& sys, const agent_config&) -> coder_actor {
    return sys.spawn([behind](coder_actor::pointer self) -> coder_actor::behavior_type {
      return {[self, behind](assignment& x) { return self->delegate(behind, std::move(x)); }};
    });
  };
}

class agent_pool : public testing::Test {
protected:
  void TearDown() override {
    caf::anon_send_exit(closed_gate, caf::exit_reason::kill);
    for (auto& pool : pools)
      caf::anon_send_exit(pool, caf::exit_reason::kill);
  }

  /// Spawns a pool that ends with the test.
  coder_pool spawn_pool(agent_config config, agent_factory<assignment, draft> make,
                        pool_limits limits = quick()) {
    pools.push_back(spawn_agent_pool<assignment, draft>(system.get(), config, make, limits));
    return pools.back();
  }

  caf::expected<draft> ask(const coder_pool& pool, const std::string& idea) {
    caf::expected<draft> result{caf::error{}};
    self->request(pool, patience, about(idea))
      .receive([&](draft& x) { result = std::move(x); },
               [&](caf::error& reason) { result = std::move(reason); });
    return result;
  }

  pool_status status(const coder_pool& pool) {
    pool_status result;
    self->request(pool, patience, status_atom_v)
      .receive([&](pool_status& x) { result = x; }, [](const caf::error&) { FAIL(); });
    return result;
  }

  fake_agents fakes; // before the system: its actors use them until they end
  test::test_system system;
  gate_actor closed_gate = system.get().spawn(gate);
  std::vector<coder_pool> pools;
  caf::scoped_actor self{system.get()};
};

} // namespace

TEST_F(agent_pool, sessions_take_turns) {
  std::vector<std::string> served; // by one agent, one after the other
  agent_factory<assignment, draft> one_that_notes = [&](caf::actor_system& sys,
                                                        const agent_config&) -> coder_actor {
    return sys.spawn([this, &served](coder_actor::pointer agent) -> coder_actor::behavior_type {
      return {[this, &served, agent](assignment& x) -> caf::result<draft> {
        served.push_back(x.idea);
        if (x.idea == "holds up")
          return agent->delegate(closed_gate, std::move(x));
        return draft{x.idea, "", "", {}};
      }};
    });
  };
  auto pool = spawn_pool(coders(1), one_that_notes);
  auto answers = std::async(std::launch::async, [&] {
    caf::scoped_actor asker{system.get()};
    std::vector<decltype(asker->request(pool, patience, assignment{}))> asked;
    for (auto& [session, idea] :
         std::vector<std::pair<std::string, std::string>>{{"first", "holds up"},
                                                          {"first", "a"},
                                                          {"first", "b"},
                                                          {"second", "c"},
                                                          {"second", "d"},
                                                          {"third", "e"}}) {
      auto request = about(idea);
      request.session = session;
      asked.push_back(asker->request(pool, patience, request));
    }
    for (auto& x : asked)
      x.receive([](draft&) {}, [](const caf::error& reason) { FAIL() << describe(reason); });
  });
  while (status(pool).queued < 5)
    std::this_thread::yield();
  while (answers.wait_for(1ms) != std::future_status::ready)
    self->send(closed_gate, flush_atom_v); // until the request has got there
  EXPECT_EQ(served, (std::vector<std::string>{"holds up", "c", "e", "a", "d", "b"}));
}

TEST_F(agent_pool, hands_a_request_to_an_agent_and_its_answer_back) {
  auto pool = spawn_pool(coders(2), fakes.factory());
  EXPECT_EQ(ask(pool, "fuse")->source, "fuse");
  EXPECT_EQ(fakes.made, 2);
}

TEST_F(agent_pool, an_error_of_ours_is_an_answer_and_kills_nobody) {
  auto pool = spawn_pool(coders(1), fakes.factory());
  EXPECT_EQ(ask(pool, "no").error(), errc::bad_answer);
  EXPECT_EQ(status(pool).restarts, 0);
}

TEST_F(agent_pool, a_request_whose_agent_died_is_given_out_again) {
  fakes.bombs_left = 2;
  auto pool = spawn_pool(coders(1), fakes.factory());
  EXPECT_EQ(ask(pool, "bomb")->source, "bomb");
  EXPECT_EQ(status(pool).restarts, 2);
}

TEST_F(agent_pool, a_request_that_killed_three_agents_is_a_dead_letter_and_others_go_on) {
  auto pool = spawn_pool(coders(1), fakes.factory());
  auto lost = ask(pool, "bomb");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error(), errc::dead_letter);
  EXPECT_EQ(fakes.bombs_left, 997);
  EXPECT_EQ(ask(pool, "fuse")->source, "fuse");
}

TEST_F(agent_pool, a_full_queue_says_overloaded) {
  auto limits = quick();
  limits.queue = 1;
  auto pool = spawn_pool(coders(1), slow_agents(closed_gate), limits);
  caf::scoped_actor first{system.get()};
  caf::scoped_actor second{system.get()};
  first->send(pool, about("a"));
  first->send(pool, about("b"));
  second->request(pool, patience, about("c"))
    .receive([](const draft&) { FAIL(); },
             [](const caf::error& reason) { EXPECT_EQ(reason, errc::overloaded); });
}

TEST_F(agent_pool, an_agent_that_gives_no_answer_in_time_is_replaced) {
  auto config = coders(1);
  config.timeout = 0.01;
  auto pool = spawn_pool(config, slow_agents(closed_gate));
  EXPECT_EQ(ask(pool, "a").error(), errc::timed_out);
  EXPECT_EQ(status(pool).restarts, 1);
}

TEST_F(agent_pool, an_update_changes_agents_between_requests) {
  auto config = coders(1);
  config.model = "old";
  auto pool = spawn_pool(config, fakes.factory());
  EXPECT_EQ(ask(pool, "a")->label, "old");
  config.model = "new";
  config.instances = 3;
  self->send(pool, pool_update{config});
  EXPECT_EQ(ask(pool, "b")->label, "new");
  EXPECT_EQ(status(pool).instances, 3);
  EXPECT_EQ(fakes.made, 4);
}

TEST_F(agent_pool, a_busy_agent_finishes_under_the_old_configuration) {
  auto config = coders(1);
  auto pool = spawn_pool(config, slow_agents(closed_gate));
  auto answer = std::async(std::launch::async, [&] {
    caf::scoped_actor asker{system.get()};
    std::string source;
    asker->request(pool, patience, about("a"))
      .receive([&](const draft& x) { source = x.source; }, [](const caf::error&) {});
    return source;
  });
  while (status(pool).busy == 0)
    std::this_thread::yield();
  config.model = "new";
  self->send(pool, pool_update{config});
  status(pool); // the update is through
  while (answer.wait_for(1ms) != std::future_status::ready)
    self->send(closed_gate, flush_atom_v); // until the request has got there
  EXPECT_EQ(answer.get(), "late");
}

TEST_F(agent_pool, a_drained_pool_ends) {
  auto pool = spawn_pool(coders(2), fakes.factory());
  self->monitor(pool);
  self->send(pool, drain_atom_v);
  bool ended = false;
  self->receive([&](const caf::down_msg&) { ended = true; }, caf::after(patience) >> [] {});
  EXPECT_TRUE(ended);
}
