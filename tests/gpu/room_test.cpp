#include "gpu/room.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lathe::gpu::testing {

namespace {

// Those who want room, in the order in which they got it. They come one after the other.
class room_test : public ::testing::Test {
protected:
  // Begins to wait for some room: gives it back as soon as it has it.
  void come(std::string name, std::int64_t amount, turn when = turn::first) {
    auto before = place.waiting();
    threads.emplace_back([this, name, amount, when] {
      auto mine = place.take(amount, when);
      std::lock_guard guard{mutex};
      served.push_back(name);
    });
    while (place.waiting() <= before)
      std::this_thread::yield();
  }

  std::vector<std::string> order() {
    for (auto& x : threads)
      x.join();
    return served;
  }

  room place{10};
  std::mutex mutex;
  std::vector<std::string> served;
  std::vector<std::thread> threads;
};

} // namespace

TEST_F(room_test, who_came_first_is_not_passed_by_those_who_want_less) {
  std::optional held{place.take(8)};
  come("much", 9);
  come("little", 2); // although there is as much
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"much", "little"}));
}

TEST_F(room_test, who_has_some_gets_more_at_once_or_is_told_that_there_is_not_so_much) {
  auto mine = place.take(1);
  std::optional other{place.take(8)};
  EXPECT_TRUE(mine.try_resize(2));
  EXPECT_FALSE(mine.try_resize(3));
  EXPECT_EQ(place.waiting(), 0U);
  other.reset();
  EXPECT_TRUE(mine.try_resize(11)) << "who is alone gets in";
  come("next", 1);
  EXPECT_TRUE(mine.try_resize(9));
  EXPECT_EQ(order(), (std::vector<std::string>{"next"}));
}

TEST_F(room_test, who_goes_last_lets_those_pass_who_come_later) {
  std::optional held{place.take(10)};
  come("all", 10, turn::last);
  come("a preparation", 10, turn::later);
  come("a candidate", 10);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"a candidate", "a preparation", "all"}));
}

TEST_F(room_test, nobody_is_passed_forever) {
  std::optional held{place.take(10)};
  come("a preparation", 10, turn::later);
  for (int i = 0; i < 20; ++i)
    come("a candidate", 10);
  held.reset();
  auto found = order();
  EXPECT_EQ(std::ranges::find(found, "a preparation") - found.begin(), 16);
}

TEST_F(room_test, who_waits_for_more_keeps_what_it_has) {
  auto busy = place.take(0);
  auto mine = place.take(3);
  std::optional held{place.take(5)};
  std::jthread grows{[&] { mine.grow(8, turn::later); }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  come("much", 4); // passes, but there are two, as long as the three are kept
  EXPECT_EQ(place.waiting(), 2U);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"much"}));
}

TEST_F(room_test, who_has_some_goes_first_when_nobody_works) {
  auto mine = place.take(3);
  std::optional held{place.take(5)};
  std::jthread grows{[&] {
    mine.grow(12, turn::later);
    std::lock_guard guard{mutex};
    served.emplace_back("grown");
    mine.resize(0);
  }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  come("a candidate", 9); // of ten, three of which are kept
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"grown", "a candidate"}));
}

TEST_F(room_test, who_wait_for_more_do_not_wait_for_each_other) {
  auto yours = place.take(4);
  std::jthread grows{[&, mine = place.take(4)]() mutable {
    mine.grow(8);
    auto gone = std::move(mine);
  }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  yours.grow(8); // with the two that are free, and those of who came first
}

TEST_F(room_test, who_is_alone_gets_in_however_much_it_wants) {
  auto kept = place.take(6);
  kept.keep(7);
  std::optional held{place.take(2)};
  come("too much", 20);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"too much"}));
}

TEST_F(room_test, what_grew_keeps_others_out_and_what_shrank_lets_them_in) {
  auto held = place.take(2);
  held.resize(12);
  come("one", 1);
  EXPECT_EQ(place.waiting(), 1u);
  held.resize(9);
  EXPECT_EQ(order(), (std::vector<std::string>{"one"}));
}

TEST_F(room_test, a_share_that_is_handed_on_is_given_back_once) {
  {
    auto first = place.take(5);
    auto second = place.take(5);
    first = std::move(second);
  }
  auto everything = place.take(10);
  EXPECT_EQ(place.waiting(), 0u);
}

TEST_F(room_test, those_who_peak_one_at_a_time_share_the_largest_peak) {
  peak_room peaks{place};
  {
    const auto somebody = place.take(2); // whom others can wait for
    const peak_room::claim small{peaks, 3};
    std::optional<peak_room::claim> large{std::in_place, peaks, 6};
    come("five", 5); // of 10, less 2 and 6
    come("one", 1);
    large.reset(); // less 2 and 3: one at a time
    EXPECT_EQ(order(), (std::vector<std::string>{"five", "one"}));
    threads.clear();
  }
  const auto all = place.take(10); // there are no peaks any more
}

} // namespace lathe::gpu::testing
