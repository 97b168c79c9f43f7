#include "gpu/gpu_owner.hpp"

#include "tests/gpu/owner_peers.hpp"

#include <caf/event_based_actor.hpp>

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

class gpu_owner : public test::owner_world {
protected:
  struct asker {
    caf::actor self;
    answers_ptr got = std::make_shared<answers>();

    std::size_t leases() const {
      return got->leases.size();
    }
  };

  gpu_owner() {
    auto owning = options();
    owning.queue_bound = 2;
    owning.wanted_alone = wanted_alone;
    owning.tell = [this](const device_event& x) { told.push_back(gpu::in_words(x)); };
    owner = gpu::spawn_gpu_owner(sys, std::move(owning));
  }

  void TearDown() override {
    for (auto& x : askers)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    owner_world::TearDown();
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

  void release(const asker& x, bool suspect = false) {
    caf::anon_send(x.self, lease_release{x.got->leases.back().fence, suspect});
    run();
  }

  void kill(const asker& x) {
    caf::anon_send_exit(x.self, caf::exit_reason::kill);
    run();
  }

  void probe_passes() {
    answer_probe();
    run();
  }

  void probe_fails() {
    answer_probe("no context");
    run();
  }

  std::vector<caf::actor> askers;
  std::vector<std::string> told;
  std::shared_ptr<std::atomic<bool>> wanted_alone = std::make_shared<std::atomic<bool>>(false);
};

constexpr auto shared = lease_kind::shared;
constexpr auto exclusive = lease_kind::exclusive;

} // namespace

TEST_F(gpu_owner, tells_whether_somebody_waits_for_the_device_alone) {
  auto first = make_asker();
  auto second = make_asker();
  ask(first, shared);
  EXPECT_FALSE(*wanted_alone);
  ask(second, exclusive);
  EXPECT_TRUE(*wanted_alone);
  release(first);
  EXPECT_FALSE(*wanted_alone) << "it has it";
  ask(first, exclusive);
  EXPECT_TRUE(*wanted_alone);
  kill(first);
  EXPECT_FALSE(*wanted_alone);
}

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
  EXPECT_EQ(next.leases(), 0u) << "nobody knows what its processes did last";
  probe_passes();
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
  EXPECT_TRUE(written->spans().empty()) << "it has not ended yet";
  release(first);
  release(first);
  pass(4s);
  kill(second);
  auto got = written->spans();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(written->all.front().session, "session");
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
  EXPECT_EQ(written->spans().size(), 1u);
}

TEST_F(gpu_owner, a_suspect_lease_has_the_device_probed_before_anybody_gets_it) {
  auto holder = make_asker();
  auto next = make_asker();
  ask(holder, exclusive);
  ask(next, exclusive);
  release(holder, true);
  EXPECT_EQ(next.leases(), 0u);
  ASSERT_EQ(probes->waiting, 1u);
  probe_passes();
  EXPECT_EQ(next.leases(), 1u);
  EXPECT_TRUE(written->news().empty()) << "it was a false alarm";
  EXPECT_TRUE(told.empty());
}

TEST_F(gpu_owner, a_device_that_fails_its_probe_is_in_quarantine_until_one_succeeds) {
  auto holder = make_asker();
  auto next = make_asker();
  ask(holder, exclusive);
  release(holder, true);
  probe_fails();
  ask(next, shared);
  EXPECT_THAT(written->news(), testing::ElementsAre("quarantined"));
  EXPECT_EQ(probes->waiting, 0u);
  pass(999ms);
  EXPECT_EQ(probes->waiting, 0u);
  pass(1ms);
  ASSERT_EQ(probes->waiting, 1u);
  probe_fails();
  pass(1999ms);
  EXPECT_EQ(probes->waiting, 0u) << "pauses double";
  pass(1ms);
  ASSERT_EQ(probes->waiting, 1u);
  EXPECT_EQ(next.leases(), 0u);
  probe_passes();
  EXPECT_EQ(next.leases(), 1u);
  EXPECT_THAT(written->news(), testing::ElementsAre("quarantined", "recovered"));
  EXPECT_THAT(told, testing::ElementsAre("cpu is in quarantine and probed again until it recovers: "
                                         "no context",
                                         "cpu has recovered"));
}

TEST_F(gpu_owner, requests_time_out_in_quarantine_too) {
  auto holder = make_asker();
  auto next = make_asker();
  ask(holder, exclusive);
  release(holder, true);
  ask(next, shared, 500);
  pass(500ms);
  EXPECT_THAT(next.got->errors, testing::ElementsAre("no lease on cpu within 500 ms"));
}

TEST_F(gpu_owner, a_doubt_that_comes_while_a_probe_runs_is_probed_for_too) {
  auto first = make_asker();
  auto second = make_asker();
  auto next = make_asker();
  ask(first, shared);
  ask(second, shared);
  release(first, true);
  release(second, true);
  ask(next, shared);
  ASSERT_EQ(probes->waiting, 1u) << "one at a time";
  probe_passes();
  pass(1ms);
  EXPECT_EQ(next.leases(), 0u) << "that probe began before the second doubt";
  ASSERT_EQ(probes->waiting, 1u);
  probe_passes();
  EXPECT_EQ(next.leases(), 1u);
}

TEST_F(gpu_owner, a_lost_device_fails_all_requests_at_once) {
  auto holder = make_asker();
  auto waiter = make_asker();
  auto late = make_asker();
  ask(holder, exclusive);
  release(holder, true);
  ask(waiter, exclusive);
  while (written->news().empty() || written->news().back() != "lost") {
    ASSERT_EQ(probes->waiting, 1u);
    ASSERT_TRUE(waiter.got->errors.empty());
    probe_fails();
    pass(1min);
  }
  ask(late, shared);
  constexpr auto sentence = "cpu did not recover within 10 min from what ran on it: no context";
  EXPECT_THAT(waiter.got->errors, testing::ElementsAre(sentence));
  EXPECT_THAT(late.got->errors, testing::ElementsAre(sentence));
  EXPECT_EQ(probes->waiting, 0u);
  EXPECT_THAT(written->news(), testing::ElementsAre("quarantined", "lost"));
}

TEST_F(gpu_owner, a_probe_that_is_cancelled_is_nobodys_news_and_ends_all_waiting) {
  auto holder = make_asker();
  auto next = make_asker();
  auto late = make_asker();
  ask(holder, exclusive);
  release(holder, true);
  ask(next, shared);
  answer_probe("cancelled");
  ask(late, shared);
  pass(1h);
  EXPECT_TRUE(written->news().empty());
  for (auto& x : {next, late}) {
    EXPECT_EQ(x.leases(), 0u);
    EXPECT_THAT(x.got->errors, testing::ElementsAre("cancelled"));
  }
}

TEST_F(gpu_owner, a_stale_fence_leaves_nothing_in_doubt) {
  auto holder = make_asker();
  auto next = make_asker();
  ask(holder, exclusive);
  release(holder);
  release(holder, true);
  ask(next, exclusive);
  EXPECT_EQ(probes->waiting, 0u);
  EXPECT_EQ(next.leases(), 1u);
}

TEST_F(gpu_owner, where_there_is_nothing_to_probe_no_doubt_counts) {
  owner = gpu::spawn_gpu_owner(sys, {});
  auto holder = make_asker();
  auto next = make_asker();
  ask(holder, exclusive);
  ask(next, exclusive);
  release(holder, true);
  EXPECT_EQ(next.leases(), 1u);
}

TEST_F(gpu_owner, patience_outlasts_every_timeout) {
  EXPECT_GT(gpu::patience({"s", shared, 0, 500}), 500ms);
  EXPECT_GT(gpu::patience({"s", shared, 0, -1}), 0ms);
  EXPECT_GT(gpu::patience({"s", shared, 0, std::numeric_limits<std::int64_t>::max()}), 24h);
  EXPECT_EQ(gpu::patience({"s", shared, 0, 0}), caf::infinite);
}
