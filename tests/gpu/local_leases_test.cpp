#include "gpu/local_leases.hpp"

#include "messages/error.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace lathe;
using gpu::held_lease;
using gpu::local_leases;

TEST(local_leases, an_exclusive_lease_is_never_held_beside_another) {
  local_leases leases;
  std::atomic<int> shared = 0;
  std::atomic<int> exclusive = 0;
  std::atomic<int> overlaps = 0;
  std::atomic<int> granted = 0;
  auto work = [&](int number) {
    for (int i = 0; i < 200; ++i) {
      auto alone = (i + number) % 3 == 0;
      auto got = leases.acquire(alone ? lease_kind::exclusive : lease_kind::shared, number % 2);
      if (!got)
        continue;
      held_lease held{leases, *got};
      ++granted;
      auto& mine = alone ? exclusive : shared;
      ++mine;
      if (exclusive > 1 || (exclusive == 1 && shared > 0))
        ++overlaps;
      std::this_thread::yield();
      --mine;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(work, i);
  for (auto& x : threads)
    x.join();
  EXPECT_EQ(overlaps, 0);
  EXPECT_EQ(granted, 4 * 200);
}

TEST(local_leases, shared_leases_are_held_side_by_side) {
  local_leases leases;
  auto first = leases.acquire(lease_kind::shared, 0);
  auto second = leases.acquire(lease_kind::shared, 0);
  ASSERT_TRUE(first && second);
  EXPECT_LT(first->fence, second->fence);
}

TEST(local_leases, who_holds_a_shared_lease_hears_that_somebody_waits_for_the_device_alone) {
  local_leases leases;
  auto first = leases.acquire(lease_kind::shared, 0);
  ASSERT_TRUE(first);
  EXPECT_FALSE(leases.is_wanted_alone());
  std::jthread other{[&] {
    if (auto alone = leases.acquire(lease_kind::exclusive, 0))
      leases.release(*alone);
  }};
  while (!leases.is_wanted_alone())
    std::this_thread::yield();
  leases.release(*first);
  other.join();
  EXPECT_FALSE(leases.is_wanted_alone());
}

TEST(local_leases, a_stale_lease_gives_nothing_back) {
  local_leases leases;
  auto first = leases.acquire(lease_kind::exclusive, 0);
  ASSERT_TRUE(first);
  leases.release(*first);
  auto second = leases.acquire(lease_kind::exclusive, 0);
  ASSERT_TRUE(second);
  leases.release(*first);
  std::atomic<bool> granted = false;
  std::thread waiting{[&] {
    auto third = leases.acquire(lease_kind::exclusive, 0);
    granted = true;
    leases.release(*third);
  }};
  EXPECT_FALSE(granted);
  leases.release(*second);
  waiting.join();
  EXPECT_TRUE(granted);
}

TEST(local_leases, more_than_the_bound_are_not_kept_waiting) {
  local_leases none{{.bound = 0}};
  auto refused = none.acquire(lease_kind::shared, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), errc::overloaded);
}

TEST(local_leases, a_device_in_doubt_is_probed_before_anybody_gets_it) {
  std::vector<std::string> happened;
  gpu::local_lease_options options;
  options.device = "cuda:0";
  options.probe = [&] {
    happened.push_back("probe");
    return happened.size() < 6 ? make_error(errc::environment_error, "no context") : caf::error{};
  };
  options.pause = [&](gpu::device_health::duration x) {
    happened.push_back(std::to_string(x.count()));
  };
  options.tell = [&](const device_event& x) { happened.push_back(to_string(x.state)); };
  local_leases leases{options};
  {
    auto held = gpu::hold(leases, lease_kind::exclusive, 0);
    ASSERT_TRUE(held);
    held->doubt();
    EXPECT_TRUE(happened.empty());
  }
  EXPECT_EQ(happened, (std::vector<std::string>{"probe", "quarantined", "1000", "probe", "2000",
                                                "probe", "recovered"}));
  EXPECT_TRUE(leases.acquire(lease_kind::exclusive, 0));
}

TEST(local_leases, on_a_lost_device_nobody_waits) {
  auto now = gpu::device_health::time_point{} + std::chrono::hours{1};
  gpu::local_lease_options options;
  options.device = "cuda:0";
  options.probe = [] { return make_error(errc::environment_error, "no context"); };
  options.now = [&] { return now; };
  options.pause = [&](gpu::device_health::duration x) { now += x; };
  local_leases leases{options};
  auto held = leases.acquire(lease_kind::shared, 0);
  ASSERT_TRUE(held);
  leases.release(*held, true);
  auto refused = leases.acquire(lease_kind::shared, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), errc::device_lost);
  EXPECT_EQ(describe(refused.error()), "cuda:0 did not recover within 10 min from what ran on it: "
                                       "no context");
}

TEST(local_leases, a_probe_that_is_cancelled_is_nobodys_news_and_ends_all_waiting) {
  gpu::local_lease_options options;
  std::atomic<bool> waits = false;
  options.probe = [&] {
    while (!waits)
      std::this_thread::yield();
    return make_error(errc::cancelled, "the run stops");
  };
  options.pause = [](gpu::device_health::duration) { FAIL() << "nobody probes once more"; };
  options.tell = [](const device_event& x) { FAIL() << gpu::in_words(x); };
  local_leases leases{options};
  auto held = leases.acquire(lease_kind::exclusive, 0);
  ASSERT_TRUE(held);
  std::thread waiting{[&] {
    waits = true;
    EXPECT_TRUE(leases.acquire(lease_kind::shared, 0).error() == errc::cancelled);
  }};
  leases.release(*held, true);
  waiting.join();
  EXPECT_TRUE(leases.acquire(lease_kind::shared, 0).error() == errc::cancelled);
}

TEST(local_leases, who_blames_a_device_hears_whether_it_is_lost) {
  auto now = gpu::device_health::time_point{} + std::chrono::hours{1};
  int probes = 0;
  bool works = true;
  gpu::local_lease_options options;
  options.probe = [&] {
    ++probes;
    return works ? caf::error{} : make_error(errc::environment_error, "no context");
  };
  options.now = [&] { return now; };
  options.pause = [&](gpu::device_health::duration x) { now += x; };
  local_leases leases{options};
  EXPECT_EQ(gpu::confirm_device(leases, 0), caf::error{});
  EXPECT_EQ(probes, 1);
  EXPECT_EQ(gpu::confirm_device(leases, 0, true), caf::error{}); // told by somebody's lease
  EXPECT_EQ(probes, 1);
  works = false;
  EXPECT_EQ(gpu::confirm_device(leases, 0), errc::device_lost);
  EXPECT_TRUE(leases.acquire(lease_kind::exclusive, 0).error() == errc::device_lost);
}

TEST(local_leases, where_there_is_nothing_to_probe_no_doubt_counts) {
  local_leases leases;
  auto held = leases.acquire(lease_kind::exclusive, 0);
  ASSERT_TRUE(held);
  leases.release(*held, true);
  EXPECT_TRUE(leases.acquire(lease_kind::exclusive, 0));
}
