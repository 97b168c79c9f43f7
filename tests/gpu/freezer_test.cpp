#include "gpu/freezer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using lathe::gpu::freezer;

namespace {

// Stands for a process group, and notices calls out of turn.
struct group {
  std::unique_ptr<freezer::process> join(freezer& x, std::string tag) {
    return x.add(
      std::move(tag), [this] { out_of_turn |= std::exchange(frozen, true); },
      [this] { out_of_turn |= !std::exchange(frozen, false); });
  }

  bool frozen = false;
  bool out_of_turn = false;
};

} // namespace

TEST(freezer, freezes_all_but_the_tags_of_a_hold_until_it_goes) {
  freezer x;
  group candidate, oracle, other;
  auto a = candidate.join(x, "candidate 1");
  auto b = oracle.join(x, "task");
  auto c = other.join(x, "candidate 2");
  auto hold = x.freeze_all_but({"candidate 1", "task"});
  EXPECT_FALSE(candidate.frozen);
  EXPECT_FALSE(oracle.frozen);
  EXPECT_TRUE(other.frozen);
  hold.reset();
  EXPECT_FALSE(other.frozen);
}

TEST(freezer, a_process_that_comes_while_others_are_frozen_is_frozen_at_once) {
  freezer x;
  group other, awake;
  auto hold = x.freeze_all_but({"mine"});
  auto a = other.join(x, "other");
  auto b = awake.join(x, "mine");
  EXPECT_TRUE(other.frozen);
  EXPECT_FALSE(awake.frozen);
}

TEST(freezer, overlapping_holds_freeze_once_and_thaw_with_the_last) {
  freezer x;
  group other;
  auto a = other.join(x, "other");
  auto first = x.freeze_all_but({"mine"});
  auto second = x.freeze_all_but({"yours"});
  first.reset();
  EXPECT_TRUE(other.frozen);
  second.reset();
  EXPECT_FALSE(other.frozen);
  EXPECT_FALSE(other.out_of_turn);
}

TEST(freezer, who_one_hold_leaves_awake_goes_on_under_another) {
  freezer x;
  group mine;
  group yours;
  auto a = mine.join(x, "mine");
  auto b = yours.join(x, "yours");
  auto first = x.freeze_all_but({"mine"});
  EXPECT_TRUE(yours.frozen);
  auto second = x.freeze_all_but({"yours"});
  EXPECT_FALSE(mine.frozen);
  EXPECT_FALSE(yours.frozen);
  first.reset();
  EXPECT_TRUE(mine.frozen);
  EXPECT_FALSE(yours.frozen);
  second.reset();
  EXPECT_FALSE(mine.frozen);
  EXPECT_FALSE(mine.out_of_turn || yours.out_of_turn);
}

TEST(freezer, a_process_that_leaves_is_thawed_and_never_touched_again) {
  freezer x;
  group other;
  auto a = other.join(x, "other");
  auto hold = x.freeze_all_but({});
  a.reset();
  EXPECT_FALSE(other.frozen);
  auto again = x.freeze_all_but({});
  EXPECT_FALSE(other.frozen);
  EXPECT_FALSE(other.out_of_turn);
}

TEST(freezer, processes_and_holds_may_outlive_it) {
  auto x = std::make_optional<freezer>();
  group other;
  auto a = other.join(*x, "other");
  auto hold = x->freeze_all_but({});
  x.reset();
  EXPECT_TRUE(other.frozen);
  hold.reset();
  EXPECT_FALSE(other.frozen);
}

TEST(freezer, adds_up_how_long_a_process_was_frozen) {
  auto now = freezer::clock::time_point{};
  freezer x{[&] { return now; }};
  group other;
  auto a = other.join(x, "other");
  now += 1s;
  EXPECT_EQ(a->frozen_for(), 0s);
  auto hold = x.freeze_all_but({});
  now += 2s;
  EXPECT_EQ(a->frozen_for(), 2s);
  hold.reset();
  now += 4s;
  EXPECT_EQ(a->frozen_for(), 2s);
  hold = x.freeze_all_but({});
  now += 8s;
  EXPECT_EQ(a->frozen_for(), 10s);
}

TEST(freezer, freezes_and_thaws_in_turn_however_many_threads_use_it) {
  freezer x;
  std::atomic<int> out_of_turn = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, tag = std::to_string(i)] {
      for (int round = 0; round < 500; ++round) {
        group mine;
        {
          auto process = mine.join(x, tag);
          auto hold = x.freeze_all_but({tag});
          out_of_turn += process->frozen_for() < 0s;
        }
        out_of_turn += mine.out_of_turn || mine.frozen;
      }
    });
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(out_of_turn, 0);
}
