#include "gpu/stall_watch.hpp"

#include <gtest/gtest.h>

using lathe::gpu::stall_watch;
using lathe::gpu::worker_process;
using namespace std::chrono_literals;

namespace {

// Only told apart.
auto* const one = reinterpret_cast<worker_process*>(8);
auto* const another = reinterpret_cast<worker_process*>(16);

stall_watch::sight sight(worker_process* process, std::chrono::seconds ran, std::uint64_t faults,
                         std::uint64_t call = 3) {
  auto group = static_cast<pid_t>(reinterpret_cast<std::uintptr_t>(process));
  return {process, group, {call, ran}, faults};
}

} // namespace

TEST(stall_watch, who_waits_all_the_time_is_found_and_who_compiles_is_not) {
  stall_watch x;
  EXPECT_EQ(x.look({sight(one, 5s, 700), sight(another, 50s, 1000)}), nullptr);
  EXPECT_EQ(x.look({sight(one, 9s, 702), sight(another, 54s, 90'000)}), nullptr);
  EXPECT_EQ(x.look({sight(one, 16s, 703), sight(another, 61s, 180'000)}), nullptr);
  EXPECT_EQ(x.look({sight(one, 17s, 703), sight(another, 62s, 181'000)}), one);
}

TEST(stall_watch, a_call_has_its_own_time) {
  stall_watch x;
  x.look({sight(one, 1s, 700, 3)});
  EXPECT_EQ(x.look({sight(one, 20s, 700, 4)}), nullptr);
  EXPECT_EQ(x.look({sight(one, 40s, 700, 4)}), one);
}

TEST(stall_watch, faults_add_up_over_the_whole_wait) {
  stall_watch x;
  x.look({sight(one, 0s, 1)});
  EXPECT_EQ(x.look({sight(one, 10s, 17)}), nullptr);
  EXPECT_EQ(x.look({sight(one, 20s, 18)}), nullptr);
  EXPECT_EQ(x.look({sight(one, 32s, 34)}), one);
}

TEST(stall_watch, who_was_between_two_calls_begins_anew) {
  stall_watch x;
  x.look({sight(one, 0s, 1)});
  EXPECT_EQ(x.look({}), nullptr);
  EXPECT_EQ(x.look({sight(one, 30s, 1)}), nullptr);
}

TEST(stall_watch, a_device_that_came_to_rest_has_no_kernel_that_does_not_end) {
  stall_watch x;
  x.look({sight(one, 0s, 1)});
  x.forget();
  EXPECT_EQ(x.look({sight(one, 30s, 1)}), nullptr);
}

TEST(stall_watch, of_several_the_one_that_waits_longest_is_found_and_then_there_is_time) {
  stall_watch x;
  x.look({sight(one, 0s, 9)});
  x.look({sight(one, 5s, 9), sight(another, 1s, 9)});
  EXPECT_EQ(x.look({sight(one, 30s, 9), sight(another, 26s, 9)}), one);
  EXPECT_EQ(x.look({sight(another, 60s, 9)}), nullptr);
  EXPECT_EQ(x.look({sight(another, 73s, 9)}), another);
}

TEST(stall_watch, of_whom_nothing_is_known_nothing_is_said) {
  stall_watch x;
  x.look({sight(one, 0s, 0), sight(another, 0s, 500)});
  EXPECT_EQ(x.look({sight(one, 60s, 0), sight(another, 60s, 20)}), nullptr)
    << "without any fault, and another process under the same number";
}
