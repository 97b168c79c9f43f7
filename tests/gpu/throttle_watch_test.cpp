#include "gpu/throttle_watch.hpp"

#include <gtest/gtest.h>

using namespace lathe::gpu;

namespace {

// Bits of nvml.h.
constexpr std::uint64_t idle = 0x1;
constexpr std::uint64_t clocks_set = 0x2;
constexpr std::uint64_t power_cap = 0x4;
constexpr std::uint64_t hardware = 0x8;
constexpr std::uint64_t hot = 0x20;
constexpr std::uint64_t hot_hardware = 0x40;
constexpr std::uint64_t power_brake = 0x80;

std::optional<clock_reading> reading(std::uint64_t reasons, double clock = 1980) {
  return clock_reading{clock, 1980, reasons};
}

std::optional<clock_reading> clock_alone(double clock) {
  return clock_reading{clock, 1980, std::nullopt};
}

} // namespace

TEST(throttle_watch, a_gpu_at_full_speed_counts) {
  throttle_watch watch;
  EXPECT_TRUE(watch.counts(reading(0), reading(0)));
  EXPECT_EQ(watch.discarded(), 0u);
  EXPECT_EQ(watch.rest(), 0);
}

TEST(throttle_watch, states_of_a_healthy_gpu_count) {
  throttle_watch watch;
  for (auto reasons : {idle, clocks_set, power_cap, idle | clocks_set})
    EXPECT_TRUE(watch.counts(reading(reasons, 1100), reading(reasons, 1100))) << reasons;
}

TEST(throttle_watch, a_gpu_that_protects_itself_does_not_count) {
  throttle_watch watch;
  for (auto reasons : {hardware, hot, hot_hardware, power_brake, hot | power_cap})
    EXPECT_FALSE(watch.counts(reading(0), reading(reasons))) << reasons;
  EXPECT_FALSE(watch.counts(reading(hot), reading(0))) << "one reading of the two is enough";
  EXPECT_EQ(watch.discarded(), 6u);
}

TEST(throttle_watch, evidence_names_reason_and_clock) {
  throttle_watch watch;
  watch.counts(reading(0), reading(hot | hardware, 1005));
  EXPECT_EQ(watch.evidence(), "thermal slowdown, 1005 of 1980 MHz");
}

TEST(throttle_watch, without_a_reading_every_pair_counts) {
  throttle_watch watch;
  EXPECT_TRUE(watch.counts({}, {}));
  EXPECT_TRUE(watch.counts(reading(0), {}));
}

TEST(throttle_watch, without_reasons_a_clock_far_below_the_fastest_does_not_count) {
  throttle_watch watch;
  EXPECT_TRUE(watch.counts(clock_alone(1200), clock_alone(1200))) << "clocks may be set";
  EXPECT_TRUE(watch.counts(clock_alone(1980), clock_alone(1600)));
  EXPECT_FALSE(watch.counts(clock_alone(1980), clock_alone(1400)));
  EXPECT_EQ(watch.evidence(), "1400 MHz, and 1980 before");
}

TEST(throttle_watch, rests_get_longer_until_a_pair_counts) {
  throttle_watch watch;
  watch.counts(reading(hot), reading(hot));
  auto first = watch.rest();
  watch.counts(reading(hot), reading(hot));
  EXPECT_GT(watch.rest(), first);
  for (int pair = 0; pair < 10; ++pair)
    watch.counts(reading(hot), reading(hot));
  EXPECT_LE(watch.rest(), 0.5);
  watch.counts(reading(0), reading(0));
  EXPECT_EQ(watch.rest(), 0);
  watch.counts(reading(hot), reading(hot));
  EXPECT_EQ(watch.rest(), first);
}

TEST(throttle_watch, a_gpu_that_stays_throttled_is_given_up_on) {
  throttle_watch watch;
  for (int pair = 0; pair < 15; ++pair)
    watch.counts(reading(hot), reading(hot));
  EXPECT_FALSE(watch.is_hopeless());
  watch.counts(reading(hot), reading(hot));
  EXPECT_TRUE(watch.is_hopeless());
}

TEST(throttle_watch, a_gpu_that_recovers_is_not_unless_it_has_to_do_so_all_the_time) {
  throttle_watch watch;
  auto lapse_and_recover = [&] {
    watch.counts(reading(hot), reading(hot));
    watch.counts(reading(0), reading(0));
  };
  for (int pair = 0; pair < 63; ++pair)
    lapse_and_recover();
  EXPECT_FALSE(watch.is_hopeless());
  lapse_and_recover();
  EXPECT_TRUE(watch.is_hopeless());
}
