#include "gpu/stall_watch.hpp"

#include <gmock/gmock.h>

using lathe::gpu::stall_watch;
using lathe::gpu::worker_process;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

// Only told apart.
auto* const one = reinterpret_cast<worker_process*>(8);
auto* const another = reinterpret_cast<worker_process*>(16);

stall_watch::sight sight(worker_process* process, std::chrono::seconds ran, std::uint64_t faults,
                         std::uint64_t call = 3) {
  return {process, {call, ran}, faults};
}

} // namespace

TEST(stall_watch, who_waits_all_the_time_is_found_and_who_compiles_is_not) {
  stall_watch x;
  EXPECT_THAT(x.look({sight(one, 5s, 700), sight(another, 50s, 1000)}), IsEmpty());
  EXPECT_THAT(x.look({sight(one, 9s, 702), sight(another, 54s, 90'000)}), IsEmpty());
  EXPECT_THAT(x.look({sight(one, 16s, 703), sight(another, 61s, 180'000)}), IsEmpty());
  EXPECT_THAT(x.look({sight(one, 17s, 703), sight(another, 62s, 181'000)}), ElementsAre(one));
}

TEST(stall_watch, a_call_has_its_own_time) {
  stall_watch x;
  x.look({sight(one, 1s, 700, 3)});
  EXPECT_THAT(x.look({sight(one, 20s, 700, 4)}), IsEmpty());
  EXPECT_THAT(x.look({sight(one, 40s, 700, 4)}), ElementsAre(one));
}

TEST(stall_watch, faults_add_up_over_the_whole_wait) {
  stall_watch x;
  x.look({sight(one, 0s, 0)});
  EXPECT_THAT(x.look({sight(one, 10s, 16)}), IsEmpty());
  EXPECT_THAT(x.look({sight(one, 20s, 17)}), IsEmpty());
  EXPECT_THAT(x.look({sight(one, 32s, 33)}), ElementsAre(one));
}

TEST(stall_watch, who_was_between_two_calls_begins_anew) {
  stall_watch x;
  x.look({sight(one, 0s, 0)});
  x.look({});
  EXPECT_THAT(x.look({sight(one, 30s, 0)}), IsEmpty());
}

TEST(stall_watch, a_device_that_came_to_rest_has_no_kernel_that_does_not_end) {
  stall_watch x;
  x.look({sight(one, 0s, 0)});
  x.forget();
  EXPECT_THAT(x.look({sight(one, 30s, 0)}), IsEmpty());
}
