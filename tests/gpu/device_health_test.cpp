#include "gpu/device_health.hpp"

#include "messages/error.hpp"
#include "messages/event_json.hpp"

#include <gtest/gtest.h>

#include <vector>

using namespace lathe;
using namespace std::chrono_literals;
using gpu::device_health;

namespace {

constexpr auto start = device_health::time_point{} + 1h;

constexpr auto bounds = device_health::limits{1s, 4s, 10s};

} // namespace

TEST(device_health, a_device_in_doubt_is_not_used_until_a_probe_succeeds) {
  device_health health{"cuda:0"};
  EXPECT_TRUE(health.usable());
  EXPECT_TRUE(health.doubt());
  EXPECT_FALSE(health.usable());
  auto next = health.passed();
  EXPECT_FALSE(next.probe_in);
  EXPECT_FALSE(next.news) << "a doubt without ground is nobody's news";
  EXPECT_TRUE(health.usable());
}

TEST(device_health, a_doubt_that_comes_while_a_probe_runs_is_probed_for_too) {
  device_health health{"cuda:0"};
  EXPECT_TRUE(health.doubt());
  EXPECT_FALSE(health.doubt()) << "a probe runs already";
  EXPECT_EQ(health.passed().probe_in, 0ms);
  EXPECT_FALSE(health.usable());
  EXPECT_FALSE(health.passed().probe_in);
  EXPECT_TRUE(health.usable());
}

TEST(device_health, pauses_between_probes_double_up_to_a_bound) {
  device_health health{"cuda:0", {1s, 4s, 1h}};
  health.doubt();
  std::vector<device_health::duration> pauses;
  for (int i = 0; i < 5; ++i)
    pauses.push_back(*health.failed("no context", start).probe_in);
  EXPECT_EQ(pauses, (std::vector<device_health::duration>{1s, 2s, 4s, 4s, 4s}));
  EXPECT_FALSE(health.usable());
}

TEST(device_health, quarantine_and_recovery_are_told_once) {
  device_health health{"cuda:0", bounds};
  health.doubt();
  auto first = health.failed("no context", start);
  ASSERT_TRUE(first.news);
  EXPECT_EQ(first.news->state, device_state::quarantined);
  EXPECT_EQ(first.news->reason, "no context");
  EXPECT_FALSE(health.failed("no context", start + 1s).news);
  auto last = health.passed();
  ASSERT_TRUE(last.news);
  EXPECT_EQ(last.news->state, device_state::recovered);
  EXPECT_TRUE(health.usable());
}

TEST(device_health, a_device_that_recovered_begins_with_short_pauses_again) {
  device_health health{"cuda:0", bounds};
  health.doubt();
  health.failed("x", start);
  health.failed("x", start + 1s);
  health.passed();
  EXPECT_TRUE(health.doubt());
  EXPECT_EQ(health.failed("x", start + 1h).probe_in, 1s);
  EXPECT_FALSE(health.lost()) << "an earlier quarantine does not count";
}

TEST(device_health, a_device_that_does_not_recover_is_lost) {
  device_health health{"cuda:0", bounds};
  health.doubt();
  auto now = start;
  auto next = health.failed("process 7 is gone and holds 3 MiB", now);
  while (next.probe_in) {
    EXPECT_FALSE(health.lost());
    now += *next.probe_in;
    next = health.failed("process 7 is gone and holds 3 MiB", now);
  }
  EXPECT_EQ(now, start + bounds.patience);
  ASSERT_TRUE(next.news);
  EXPECT_EQ(next.news->state, device_state::lost);
  EXPECT_TRUE(health.lost());
  EXPECT_FALSE(health.usable());
  EXPECT_FALSE(health.doubt()) << "no probe is of use any more";
  EXPECT_EQ(health.loss(), errc::device_lost);
  EXPECT_EQ(describe(health.loss()), "cuda:0 did not recover within 10 s from what ran on it: "
                                     "process 7 is gone and holds 3 MiB");
}

TEST(device_health, news_are_kept_and_told) {
  device_event x{"cuda:1", device_state::lost, "no context"};
  EXPECT_EQ(to_json(x), R"({"device":"cuda:1","state":"lost","reason":"no context"})");
  EXPECT_EQ(from_json<device_event>(to_json(x))->state, device_state::lost);
  EXPECT_EQ(gpu::in_words(x), "cuda:1 is lost: no context");
}
