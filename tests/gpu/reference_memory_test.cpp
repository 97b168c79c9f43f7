#include "gpu/reference_memory.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace lathe::gpu::testing {

namespace {

constexpr std::int64_t size = 1200; // a first guess of 100
constexpr race_memory small_race{10, 5, 6};

// A device on which somebody works who has so much.
class reference_memory_test : public ::testing::Test {
protected:
  room device{{.device = size}};
  peak_room timing{device};
  std::optional<room::share> somebody;
  std::optional<reference_memory> reference{std::in_place, &device, &timing};

  // What is free, beside what those who wait for nothing keep.
  bool has_room_for(std::int64_t amount) {
    std::atomic<bool> got = false;
    std::thread other{[&] {
      auto share = device.take({.device = amount}, turn::last);
      got = true;
    }};
    while (!got && device.waiting() == 0)
      std::this_thread::yield();
    auto result = got.load();
    somebody.reset(); // so that it ends
    other.join();
    return result;
  }
};

} // namespace

TEST_F(reference_memory_test, is_guessed_until_it_has_run) {
  somebody.emplace(device.take({.device = 1}));
  reference->begin();
  EXPECT_FALSE(has_room_for(size - 1 - 99));
}

TEST_F(reference_memory_test, is_guessed_until_the_float64_run_is_over) {
  somebody.emplace(device.take({.device = 1}));
  reference->begin();
  reference->look({20, 40, 30});
  EXPECT_FALSE(has_room_for(size - 1 - 99));
}

TEST_F(reference_memory_test, is_what_it_took_once_a_draw_is_done) {
  somebody.emplace(device.take({.device = 1}));
  reference->begin();
  reference->look({20, 40, 30});
  reference->look({20, 60, 30});
  reference->know_call(5);
  EXPECT_TRUE(has_room_for(size - 1 - 60));
}

TEST_F(reference_memory_test, small_float64_runs_need_not_wait) {
  reference->begin();
  reference->look({20, 40, 50});
  EXPECT_FALSE(reference->has_to_wait_for_exact());
  reference->look({20, 40, 51});
  EXPECT_TRUE(reference->has_to_wait_for_exact());
}

TEST_F(reference_memory_test, who_waits_for_a_float64_run_keeps_nothing_for_it) {
  reference->begin();
  reference->look({500, 500, 450});
  std::optional other{device.take({.device = 600})};
  std::thread waiting{[&] { reference->wait_for_exact(50); }}; // 950 with it
  while (device.waiting() == 0)
    std::this_thread::yield();
  EXPECT_EQ(device.kept().device, 0) << "it is not done yet";
  { auto passes = device.take({.device = 500}); }
  other.reset();
  waiting.join();
  somebody.emplace(device.take({.device = 1}));
  EXPECT_TRUE(has_room_for(size - 1 - 950));
}

TEST_F(reference_memory_test, who_has_all_of_it_keeps_that_until_it_is_prepared) {
  reference->begin_alone();
  reference->look({500, 700, 600});
  EXPECT_FALSE(reference->has_to_wait_for_exact());
  std::atomic<bool> got = false;
  std::thread other{[&] {
    auto share = device.take({.device = 1});
    got = true;
  }};
  while (device.waiting() == 0)
    std::this_thread::yield();
  EXPECT_FALSE(got);
  reference->look({100, 700, 150});
  reference->keep(small_race);
  other.join();
  EXPECT_EQ(device.kept().device, 100 + 50 + static_cast<std::int64_t>(small_race.bytes()));
}

TEST_F(reference_memory_test, what_it_takes_while_it_is_timed_is_there_once_for_all) {
  reference_memory second{&device, &timing};
  for (auto* x : {&*reference, &second}) {
    x->begin();
    x->look({20, 40, 60});
    x->keep(small_race);
  }
  auto while_timed = 40 + static_cast<std::int64_t>(small_race.bytes());
  EXPECT_EQ(device.kept().device, 2 * 20 + while_timed);
  reference.reset();
  EXPECT_EQ(device.kept().device, 20 + while_timed);
}

TEST_F(reference_memory_test, tells_what_a_candidate_takes) {
  reference->begin();
  reference->look({20, 40, 60});
  reference->know_call(7);
  reference->look({15, 40, 60});
  EXPECT_EQ(reference->of_call(), 67);
  EXPECT_EQ(reference->between_calls(), 15);
  EXPECT_EQ(reference->needed(small_race), 60 + static_cast<std::int64_t>(small_race.bytes()));
}

TEST_F(reference_memory_test, counts_what_a_candidate_keeps_between_its_calls) {
  reference->begin();
  reference->look({20, 40, 60});
  auto race = static_cast<std::int64_t>(small_race.bytes());
  EXPECT_EQ(reference->needed(small_race, 59), 60 + race);
  EXPECT_EQ(reference->needed(small_race, 61), 61 + race) << "the pool of a CUDA graph";
}

TEST_F(reference_memory_test, is_nothing_on_the_cpu) {
  reference_memory none{nullptr, nullptr};
  none.begin();
  none.look({20, 40, 1 << 30});
  none.know_call(7);
  none.keep(small_race);
  EXPECT_FALSE(none.has_to_wait_for_exact());
  EXPECT_EQ(none.of_call(), 0);
  EXPECT_EQ(none.needed(small_race), 0);
}

} // namespace lathe::gpu::testing
