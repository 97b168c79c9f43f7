#include "tools/llm_server/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

using namespace lathe::llm_server;
using namespace std::chrono_literals;

namespace {

const timer_wheel::clock::time_point start{1000s};

struct counting_timer : timer_wheel::timer {
  void due() override {
    ++calls;
    if (then)
      then();
  }

  int calls = 0;
  std::function<void()> then;
};

} // namespace

TEST(timer_wheel, nothing_is_called_before_its_time) {
  timer_wheel wheel{start};
  counting_timer x;
  wheel.set(x, start + 10ms);
  EXPECT_EQ(wheel.next(), start + 10ms);
  wheel.advance(start + 9ms);
  EXPECT_EQ(x.calls, 0);
  wheel.advance(start + 10ms);
  EXPECT_EQ(x.calls, 1);
  wheel.advance(start + 10s);
  EXPECT_EQ(x.calls, 1);
  EXPECT_FALSE(wheel.next());
}

TEST(timer_wheel, times_are_rounded_up) {
  timer_wheel wheel{start};
  counting_timer x;
  wheel.set(x, start + 10100us);
  wheel.advance(start + 10900us);
  EXPECT_EQ(x.calls, 0);
  wheel.advance(start + 11ms);
  EXPECT_EQ(x.calls, 1);
}

TEST(timer_wheel, a_time_in_the_past_is_due_a_millisecond_later) {
  timer_wheel wheel{start};
  counting_timer x;
  wheel.advance(start + 500ms);
  wheel.set(x, start);
  EXPECT_EQ(wheel.next(), start + 501ms);
  wheel.advance(start + 501ms);
  EXPECT_EQ(x.calls, 1);
}

TEST(timer_wheel, a_timer_far_away_waits_for_its_round) {
  timer_wheel wheel{start};
  counting_timer x;
  wheel.set(x, start + 1h);
  for (auto now = start; now < start + 1h; now += 700ms)
    wheel.advance(now);
  EXPECT_EQ(x.calls, 0);
  wheel.advance(start + 1h);
  EXPECT_EQ(x.calls, 1);
}

TEST(timer_wheel, a_long_silence_loses_nothing) {
  timer_wheel wheel{start};
  std::vector<counting_timer> timers(3000);
  for (std::size_t i = 0; i < timers.size(); ++i)
    wheel.set(timers[i], start + std::chrono::milliseconds{i});
  wheel.advance(start + 10min);
  for (auto& x : timers)
    EXPECT_EQ(x.calls, 1);
}

TEST(timer_wheel, setting_again_moves_a_timer) {
  timer_wheel wheel{start};
  counting_timer x;
  wheel.set(x, start + 5ms);
  wheel.set(x, start + 50ms);
  wheel.advance(start + 49ms);
  EXPECT_EQ(x.calls, 0);
  wheel.advance(start + 50ms);
  EXPECT_EQ(x.calls, 1);
}

TEST(timer_wheel, a_timer_that_is_due_may_set_itself_again_and_destroy_another) {
  timer_wheel wheel{start};
  counting_timer first;
  auto second = std::make_unique<counting_timer>();
  wheel.set(first, start + 5ms);
  wheel.set(*second, start + 5ms);
  first.then = [&] {
    second.reset();
    wheel.set(first, start + 6ms);
  };
  wheel.advance(start + 5ms);
  EXPECT_EQ(first.calls, 1);
  EXPECT_FALSE(second);
  wheel.advance(start + 6ms);
  EXPECT_EQ(first.calls, 2);
}

TEST(timer_wheel, a_stopped_timer_is_not_called) {
  timer_wheel wheel{start};
  counting_timer x;
  wheel.set(x, start + 5ms);
  x.stop();
  EXPECT_FALSE(wheel.next());
  wheel.advance(start + 5ms);
  EXPECT_EQ(x.calls, 0);
}
