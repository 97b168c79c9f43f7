#include "gpu/room.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <random>
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
      auto mine = place.take({.device = amount}, when);
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

  room place{{.device = 10, .cores = 2}};
  std::mutex mutex;
  std::vector<std::string> served;
  std::vector<std::thread> threads;
};

} // namespace

TEST_F(room_test, who_came_first_is_not_passed_by_those_who_want_less) {
  std::optional held{place.take({.device = 8})};
  come("much", 9);
  come("little", 2); // although there is as much
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"much", "little"}));
}

TEST_F(room_test, who_has_some_gets_more_at_once_or_is_told_that_there_is_not_so_much) {
  auto mine = place.take({.device = 1});
  std::optional other{place.take({.device = 8})};
  EXPECT_TRUE(mine.try_resize({.device = 2}));
  EXPECT_FALSE(mine.try_resize({.device = 3}));
  EXPECT_EQ(place.waiting(), 0U);
  other.reset();
  EXPECT_TRUE(mine.try_resize({.device = 11})) << "who is alone gets in";
  come("next", 1);
  EXPECT_TRUE(mine.try_resize({.device = 9}));
  EXPECT_EQ(order(), (std::vector<std::string>{"next"}));
}

TEST_F(room_test, who_goes_last_lets_those_pass_who_come_later) {
  std::optional held{place.take({.device = 10})};
  come("all", 10, turn::last);
  come("a preparation", 10, turn::later);
  come("a candidate", 10);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"a candidate", "a preparation", "all"}));
}

TEST_F(room_test, who_fits_passes_who_does_not_unless_that_one_was_first) {
  std::optional held{place.take({.device = 8})};
  come("a large candidate", 9, turn::later);
  { auto passes = place.take({.device = 2}, turn::later); }
  come("ready for a race", 9);
  come("a small candidate", 2, turn::later);
  EXPECT_EQ(place.waiting(), 3U);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"ready for a race", "a large candidate",
                                               "a small candidate"}));
}

TEST_F(room_test, all_that_is_wanted_is_there_or_nothing_is_held) {
  std::optional one{place.take({.device = 1, .cores = 2})};
  std::jthread waits{[&] { auto share = place.take({.device = 5, .cores = 1}, turn::later); }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  { auto passes = place.take({.device = 9}, turn::later); }
  std::optional other{place.take({.device = 9}, turn::later)};
  one.reset();
  EXPECT_EQ(place.waiting(), 1U) << "of the device there is not enough now";
  other.reset();
}

TEST_F(room_test, who_is_alone_with_one_thing_waits_for_the_others) {
  auto builds = place.take({.cores = 2});
  { auto all = place.take_device(); }
  std::jthread waits{[&] { auto share = place.take({.device = 12, .cores = 1}); }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  builds.resize({.cores = 1});
}

TEST_F(room_test, who_is_ready_goes_before_all_who_are_not) {
  auto ready = place.take({.device = 2, .cores = 1});
  std::optional held{place.take({.device = 8})};
  come("a candidate", 2, turn::later);
  std::jthread grows{[&] {
    ready.resize({.device = 1});
    ready.grow({.device = 4});
    std::lock_guard guard{mutex};
    served.emplace_back("ready");
  }};
  while (place.waiting() < 2)
    std::this_thread::yield();
  held->resize({.device = 6}); // enough for either, not for both
  grows.join();
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"ready", "a candidate"}));
}

TEST_F(room_test, who_is_ready_is_not_held_up_by_who_waits_for_more_than_there_is) {
  auto ready = place.take({.device = 1});
  auto held = place.take({.device = 5});
  std::optional others{place.take({.device = 4})};
  come("tired", 8, turn::later);
  others->resize({.device = 1});
  for (int i = 0; i < 16; ++i)
    auto passes = place.take({.device = 1}, turn::later);
  come("held up", 3, turn::later); // there is as much, and not beside "tired"
  ready.grow({.device = 2}, turn::later);
  ready.resize({});
  others.reset();
  EXPECT_EQ(place.waiting(), 2U) << "8 of 10, of which 5 are held";
  held.resize({});
  EXPECT_EQ(order(), (std::vector<std::string>{"tired", "held up"}));
}

TEST_F(room_test, who_wants_something_else_is_neither_held_up_nor_tires_anybody) {
  std::optional builds{place.take({.cores = 2})};
  std::optional held{place.take({.device = 8})};
  std::jthread build{[&] { auto share = place.take({.cores = 1}); }};
  come("a candidate", 9, turn::later);
  while (place.waiting() < 2)
    std::this_thread::yield();
  { auto passes = place.take({.device = 1}, turn::later); } // the build waits for a core
  { auto nothing = place.take({}); }
  builds.reset();
  build.join();
  for (int i = 0; i < 20; ++i)
    auto core = place.take({.cores = 1}, turn::later);
  { auto passes = place.take({.device = 1}, turn::later); } // none of those wanted the device
  EXPECT_EQ(place.waiting(), 1U);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"a candidate"}));
}

TEST_F(room_test, what_is_kept_is_not_what_somebody_has_who_waits_for_more) {
  auto kept = place.take({.device = 2});
  kept.keep({.device = 2});
  std::optional held{place.take({.device = 5})};
  auto mine = place.take({.device = 1});
  std::jthread grows{[&] { mine.grow({.device = 8}); }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  EXPECT_EQ(place.kept().device, 2);
  held.reset();
}

TEST_F(room_test, nobody_is_passed_forever) {
  std::optional held{place.take({.device = 10})};
  come("a preparation", 10, turn::later);
  for (int i = 0; i < 20; ++i)
    come("a candidate", 10);
  held.reset();
  auto found = order();
  EXPECT_EQ(std::ranges::find(found, "a preparation") - found.begin(), 16);
}

TEST_F(room_test, who_waits_for_more_keeps_what_it_has) {
  auto busy = place.take({.device = 1});
  auto mine = place.take({.device = 3});
  std::optional held{place.take({.device = 5})};
  std::jthread grows{[&] {
    mine.grow({.device = 8}, turn::later);
    mine.resize({});
  }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  come("much", 4); // may pass, but there is one, as long as the three are kept
  EXPECT_EQ(place.waiting(), 2U);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"much"}));
}

TEST_F(room_test, who_has_some_goes_first_when_nobody_works) {
  auto mine = place.take({.device = 3});
  std::optional held{place.take({.device = 5})};
  std::jthread grows{[&] {
    mine.grow({.device = 12}, turn::later);
    std::lock_guard guard{mutex};
    served.emplace_back("grown");
    mine.resize({.device = 0});
  }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  come("a candidate", 9); // of ten, three of which are kept
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"grown", "a candidate"}));
}

TEST_F(room_test, who_wait_for_more_do_not_wait_for_each_other) {
  auto yours = place.take({.device = 4});
  std::jthread grows{[&, mine = place.take({.device = 4})]() mutable {
    mine.grow({.device = 8});
    auto gone = std::move(mine);
  }};
  while (place.waiting() == 0)
    std::this_thread::yield();
  yours.grow({.device = 8}); // with the two that are free, and those of who came first
}

TEST_F(room_test, who_is_alone_gets_in_however_much_it_wants) {
  auto kept = place.take({.device = 6});
  kept.keep({.device = 7});
  std::optional held{place.take({.device = 2})};
  come("too much", 20);
  held.reset();
  EXPECT_EQ(order(), (std::vector<std::string>{"too much"}));
}

TEST_F(room_test, what_grew_keeps_others_out_and_what_shrank_lets_them_in) {
  auto held = place.take({.device = 2});
  held.resize({.device = 12});
  come("one", 1);
  EXPECT_EQ(place.waiting(), 1u);
  held.resize({.device = 9});
  EXPECT_EQ(order(), (std::vector<std::string>{"one"}));
}

TEST_F(room_test, a_share_that_is_handed_on_is_given_back_once) {
  {
    auto first = place.take({.device = 5});
    auto second = place.take({.device = 5});
    first = std::move(second);
  }
  auto everything = place.take({.device = 10});
  EXPECT_EQ(place.waiting(), 0u);
}

// What happens in a run: references keep some, candidates take what they compile with, keep what
// they hold, and grow for a race. Nobody ever waits for ever, and what is given out fits where it
// can.
TEST(room_of_a_run, lets_all_through) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    room place{{.device = 100, .host = 12, .cores = 4, .places = 3}};
    std::mutex mutex;
    resources compiling; // by candidates
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 24; ++i)
      threads.emplace_back([&, random = std::mt19937{seed * 100 + i}]() mutable {
        auto up_to = [&](std::int64_t most) {
          return std::uniform_int_distribution<std::int64_t>{0, most}(random);
        };
        if (up_to(5) == 0) { // a reference, whose float64 run takes more
          auto share = place.take({.device = up_to(8)}, turn::later);
          share.grow({.device = share.amount().device + up_to(60)}, turn::last);
          share.keep({.device = up_to(3)});
          return;
        }
        for (int j = 0; j < 8; ++j) {
          auto large = up_to(9) == 0;
          auto share =
            place.take({.device = large ? 70 : 1 + up_to(20), .host = 1, .cores = 1}, turn::later);
          {
            std::lock_guard guard{mutex};
            EXPECT_LE(++compiling.cores, 4);
          }
          std::this_thread::yield();
          {
            std::lock_guard guard{mutex};
            --compiling.cores;
          }
          auto held = up_to(share.amount().device);
          share.resize({.device = held, .host = 1});
          share.grow({.device = held + up_to(25), .host = 1, .places = 1}, turn::later);
          {
            std::lock_guard guard{mutex};
            EXPECT_LE(++compiling.places, 3);
          }
          std::this_thread::yield();
          std::lock_guard guard{mutex};
          --compiling.places;
        }
      });
    threads.clear();
    EXPECT_EQ(place.waiting(), 0U);
  }
}

TEST_F(room_test, those_who_peak_one_at_a_time_share_the_largest_peak) {
  peak_room peaks{place};
  {
    const auto somebody = place.take({.device = 2}); // whom others can wait for
    const peak_room::claim small{peaks, 3};
    std::optional<peak_room::claim> large{std::in_place, peaks, 6};
    come("five", 5); // of 10, less 2 and 6
    come("one", 1);
    large.reset(); // less 2 and 3: one at a time
    EXPECT_EQ(order(), (std::vector<std::string>{"five", "one"}));
    threads.clear();
  }
  const auto all = place.take({.device = 10}); // there are no peaks any more
}

} // namespace lathe::gpu::testing
