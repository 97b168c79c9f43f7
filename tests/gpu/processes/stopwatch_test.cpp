#include "gpu/processes/stopwatch.hpp"

#include <gtest/gtest.h>

namespace lathe::gpu::testing {

using namespace std::chrono_literals;

class stopwatch : public ::testing::Test {
protected:
  gpu::stopwatch watch;
  gpu::stopwatch::clock::time_point start{1000s};

  void SetUp() override {
    watch.start(start);
  }
};

TEST_F(stopwatch, without_pauses_all_time_counts) {
  EXPECT_EQ(watch.elapsed(start + 5s), 5s);
  EXPECT_EQ(watch.paused_for(start + 5s), 0s);
}

TEST_F(stopwatch, does_not_run_while_paused) {
  watch.pause(start + 2s);
  EXPECT_TRUE(watch.paused());
  EXPECT_EQ(watch.elapsed(start + 9s), 2s);
  watch.resume(start + 10s);
  EXPECT_EQ(watch.elapsed(start + 11s), 3s);
  EXPECT_EQ(watch.paused_for(start + 11s), 8s);
}

TEST_F(stopwatch, pausing_or_resuming_twice_changes_nothing) {
  watch.pause(start + 2s);
  watch.pause(start + 3s);
  watch.resume(start + 4s);
  watch.resume(start + 5s);
  EXPECT_EQ(watch.elapsed(start + 6s), 4s);
}

TEST_F(stopwatch, started_anew_while_paused_it_waits_for_the_end_of_the_pause) {
  watch.pause(start + 1s);
  watch.start(start + 5s);
  EXPECT_EQ(watch.elapsed(start + 7s), 0s);
  watch.resume(start + 8s);
  EXPECT_EQ(watch.elapsed(start + 9s), 1s);
}

} // namespace lathe::gpu::testing
