#include "gpu/gpu_owner.hpp"

#include "gpu/lease_log.hpp"
#include "messages/error.hpp"
#include "messages/event_json.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>

using namespace lathe;
using namespace std::chrono_literals;

namespace {

// What an asker got, in order.
struct answers {
  std::vector<lease> leases;
  std::vector<std::string> errors;
};

using answers_ptr = std::shared_ptr<answers>;

caf::behavior run_asker(caf::event_based_actor* self, gpu_owner_actor owner, answers_ptr got) {
  return {
    [=](const lease_request& x) {
      self->request(owner, gpu::patience(x), x)
        .then([got](lease granted) { got->leases.push_back(granted); },
              [got](const caf::error& why) { got->errors.push_back(describe(why)); });
    },
    [=](lease_release x) { self->send(owner, x); },
  };
}

using records = std::vector<journal_record>;

journal_actor::behavior_type run_journal(journal_actor::pointer, std::shared_ptr<records> got) {
  return {
    [got](journal_append& x) -> caf::result<std::int64_t> {
      got->insert(got->end(), x.records.begin(), x.records.end());
      return static_cast<std::int64_t>(got->size());
    },
    [](flush_atom) {},
  };
}

// Owns scheduler and clock: nothing happens but by `run` and `pass`.
class gpu_owner : public testing::Test {
protected:
  struct asker {
    caf::actor self;
    answers_ptr got = std::make_shared<answers>();

    std::size_t leases() const {
      return got->leases.size();
    }
  };

  struct config : caf::actor_system_config {
    config() {
      set("caf.scheduler.policy", "testing");
    }
  };

  static void SetUpTestSuite() {
    caf::init_global_meta_objects<caf::id_block::lathe>();
    caf::core::init_global_meta_objects();
  }

  void TearDown() override {
    caf::anon_send_exit(owner, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(journal, caf::exit_reason::user_shutdown);
    for (auto& x : askers)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    run();
  }

  asker make_asker() {
    asker result;
    result.self = sys.spawn(run_asker, owner, result.got);
    askers.push_back(result.self);
    return result;
  }

  void ask(const asker& x, lease_kind kind, std::int64_t timeout_ms = 0) {
    caf::anon_send(x.self, lease_request{"session", kind, 0, timeout_ms});
    run();
  }

  void release(const asker& x) {
    caf::anon_send(x.self, lease_release{x.got->leases.back().fence});
    run();
  }

  void kill(const asker& x) {
    caf::anon_send_exit(x.self, caf::exit_reason::kill);
    run();
  }

  void run() {
    scheduler().run();
  }

  void pass(caf::timespan time) {
    scheduler().advance_time(time);
    run();
  }

  std::vector<lease_span> spans() {
    std::vector<lease_span> result;
    for (auto& x : *journaled)
      if (x.kind == gpu::lease_event)
        result.push_back(*from_json<lease_span>(x.payload));
    return result;
  }

  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  }

  config cfg;
  caf::actor_system sys{cfg};
  std::shared_ptr<records> journaled = std::make_shared<records>();
  journal_actor journal = sys.spawn(run_journal, journaled);
  gpu_owner_actor owner
    = gpu::spawn_gpu_owner(sys, {.device = "cpu", .queue_bound = 2, .journal = journal});
  std::vector<caf::actor> askers;
};

constexpr auto shared = lease_kind::shared;
constexpr auto exclusive = lease_kind::exclusive;

} // namespace

TEST_F(gpu_owner, the_next_gets_its_lease_when_the_holder_gives_it_back) {
  auto first = make_asker();
  auto second = make_asker();
  ask(first, exclusive);
  ask(second, exclusive);
  ASSERT_EQ(first.leases(), 1u);
  ASSERT_EQ(second.leases(), 0u);
  release(first);
  ASSERT_EQ(second.leases(), 1u);
  EXPECT_GT(second.got->leases[0].fence, first.got->leases[0].fence);
}

TEST_F(gpu_owner, a_stale_fence_is_ignored) {
  auto first = make_asker();
  auto second = make_asker();
  auto third = make_asker();
  ask(first, exclusive);
  release(first);
  ask(second, exclusive);
  ask(third, exclusive);
  release(first);
  EXPECT_EQ(third.leases(), 0u);
}

TEST_F(gpu_owner, a_dead_holder_gives_all_its_leases_back) {
  auto holder = make_asker();
  auto next = make_asker();
  ask(holder, shared);
  ask(holder, shared);
  ask(next, exclusive);
  ASSERT_EQ(next.leases(), 0u);
  kill(holder);
  EXPECT_EQ(next.leases(), 1u);
}

TEST_F(gpu_owner, a_dead_waiter_is_forgotten) {
  auto holder = make_asker();
  auto waiter = make_asker();
  auto next = make_asker();
  ask(holder, exclusive);
  ask(waiter, exclusive);
  ask(next, shared);
  kill(waiter);
  release(holder);
  EXPECT_EQ(waiter.leases(), 0u);
  EXPECT_EQ(next.leases(), 1u);
}

TEST_F(gpu_owner, a_full_queue_answers_overloaded) {
  auto holder = make_asker();
  auto late = make_asker();
  for (int i = 0; i < 3; ++i)
    ask(holder, exclusive);
  ask(late, shared);
  EXPECT_THAT(late.got->errors, testing::ElementsAre("2 requests wait for cpu already"));
}

TEST_F(gpu_owner, a_request_that_timed_out_never_gets_its_lease) {
  auto holder = make_asker();
  auto late = make_asker();
  ask(holder, exclusive);
  ask(late, exclusive, 500);
  pass(499ms);
  ASSERT_TRUE(late.got->errors.empty());
  pass(1ms);
  EXPECT_THAT(late.got->errors, testing::ElementsAre("no lease on cpu within 500 ms"));
  release(holder);
  EXPECT_EQ(late.leases(), 0u);
  ask(holder, exclusive);
  EXPECT_EQ(holder.leases(), 2u) << "nobody holds the device";
}

TEST_F(gpu_owner, the_timeout_of_a_granted_request_takes_nothing_back) {
  auto holder = make_asker();
  auto next = make_asker();
  ask(holder, exclusive, 500);
  ASSERT_EQ(holder.leases(), 1u);
  ask(next, exclusive);
  pass(1h);
  EXPECT_EQ(next.leases(), 0u);
  EXPECT_TRUE(holder.got->errors.empty());
}

TEST_F(gpu_owner, a_request_without_a_sender_holds_nothing) {
  auto next = make_asker();
  caf::anon_send(owner, lease_request{"session", exclusive});
  ask(next, exclusive);
  EXPECT_EQ(next.leases(), 1u);
}

TEST_F(gpu_owner, each_lease_that_ends_is_journaled) {
  auto first = make_asker();
  auto second = make_asker();
  ask(first, exclusive);
  pass(2s);
  ask(second, shared);
  pass(1s);
  EXPECT_TRUE(spans().empty()) << "it has not ended yet";
  release(first);
  release(first);
  pass(4s);
  kill(second);
  auto got = spans();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(journaled->front().session, "session");
  EXPECT_EQ(got[0].device, "cpu");
  EXPECT_EQ(got[0].kind, exclusive);
  EXPECT_NEAR(got[0].released - got[0].granted, 3, 1e-6);
  EXPECT_FALSE(got[0].reclaimed);
  EXPECT_NEAR(got[1].granted - got[1].asked, 1, 1e-6);
  EXPECT_NEAR(got[1].released - got[1].granted, 4, 1e-6);
  EXPECT_TRUE(got[1].reclaimed) << "its holder died";
}

TEST_F(gpu_owner, a_wait_without_a_lease_is_no_span) {
  auto holder = make_asker();
  auto late = make_asker();
  ask(holder, exclusive);
  ask(late, exclusive, 500);
  pass(500ms);
  release(holder);
  EXPECT_EQ(spans().size(), 1u);
}

TEST_F(gpu_owner, patience_outlasts_every_timeout) {
  EXPECT_GT(gpu::patience({"s", shared, 0, 500}), 500ms);
  EXPECT_GT(gpu::patience({"s", shared, 0, -1}), 0ms);
  EXPECT_GT(gpu::patience({"s", shared, 0, std::numeric_limits<std::int64_t>::max()}), 24h);
  EXPECT_EQ(gpu::patience({"s", shared, 0, 0}), caf::infinite);
}
