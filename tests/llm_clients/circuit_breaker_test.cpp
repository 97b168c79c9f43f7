#include "llm_clients/circuit_breaker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using namespace lathe::llm_clients;

namespace {

const auto start = circuit_breaker::time_point{} + 1h;
const breaker_policy policy{3, 10s, 60s};

// The longest cool-down but for a millisecond.
constexpr double almost_one = 0.999999;

void fail(circuit_breaker& x, circuit_breaker::time_point now, double chance = 0) {
  auto pass = x.admit(now);
  ASSERT_TRUE(pass);
  x.failed(now, *pass, chance);
}

circuit_breaker opened(double chance = 0) {
  circuit_breaker result{policy};
  for (int i = 0; i < 3; ++i)
    fail(result, start, chance);
  return result;
}

} // namespace

TEST(circuit_breaker, failures_in_a_row_open_it) {
  circuit_breaker x{policy};
  fail(x, start);
  fail(x, start);
  EXPECT_EQ(x.state(start), breaker_state::closed);
  EXPECT_FALSE(x.opens_at());
  fail(x, start);
  EXPECT_EQ(x.state(start), breaker_state::open);
  EXPECT_FALSE(x.admit(start));
}

TEST(circuit_breaker, an_answer_in_between_starts_the_count_again) {
  circuit_breaker x{policy};
  for (int i = 0; i < 10; ++i) {
    fail(x, start);
    fail(x, start);
    x.answered(*x.admit(start));
  }
  EXPECT_EQ(x.state(start), breaker_state::closed);
}

TEST(circuit_breaker, it_stays_open_between_half_and_all_of_the_cool_down) {
  EXPECT_EQ(opened(0).opens_at(), start + 5s);
  EXPECT_EQ(opened(0.5).opens_at(), start + 7'500ms);
  EXPECT_EQ(opened(almost_one).opens_at(), start + 9'999ms);
}

TEST(circuit_breaker, one_trial_call_goes_out_after_the_cool_down) {
  auto x = opened();
  EXPECT_FALSE(x.admit(start + 4'999ms));
  EXPECT_TRUE(x.admit(start + 5s));
  EXPECT_EQ(x.state(start + 5s), breaker_state::half_open);
  EXPECT_FALSE(x.admit(start + 1h));
  EXPECT_FALSE(x.opens_at());
}

TEST(circuit_breaker, a_trial_call_that_is_answered_closes_it) {
  auto x = opened();
  x.answered(*x.admit(start + 5s));
  EXPECT_EQ(x.state(start + 5s), breaker_state::closed);
  fail(x, start + 5s);
  fail(x, start + 5s);
  EXPECT_TRUE(x.admit(start + 5s));
}

TEST(circuit_breaker, each_trial_call_that_fails_doubles_the_cool_down_up_to_the_longest) {
  auto x = opened();
  auto now = start;
  for (auto wait : {5s, 10s, 20s, 30s, 30s}) {
    ASSERT_EQ(x.opens_at(), now + wait);
    now += wait;
    fail(x, now);
  }
  for (int i = 0; i < 5'000; ++i) {
    now = *x.opens_at();
    fail(x, now);
  }
  EXPECT_EQ(x.opens_at(), now + 30s);
}

TEST(circuit_breaker, the_cool_down_is_short_again_after_an_answer) {
  auto x = opened();
  fail(x, start + 5s);
  x.answered(*x.admit(start + 15s));
  for (int i = 0; i < 3; ++i)
    fail(x, start + 20s);
  EXPECT_EQ(x.opens_at(), start + 25s);
}

TEST(circuit_breaker, a_trial_call_that_is_abandoned_makes_room_for_another) {
  auto x = opened();
  x.abandoned(*x.admit(start + 5s));
  EXPECT_EQ(x.opens_at(), start + 5s);
  EXPECT_TRUE(x.admit(start + 6s));
}

TEST(circuit_breaker, calls_from_before_it_opened_say_nothing) {
  circuit_breaker x{policy};
  std::vector<circuit_breaker::pass> early;
  for (int i = 0; i < 10; ++i)
    early.push_back(*x.admit(start));
  for (int i = 0; i < 3; ++i)
    x.failed(start, early[i], 0);
  x.failed(start + 4s, early[3], 0);
  EXPECT_EQ(x.opens_at(), start + 5s);
  x.answered(early[4]);
  EXPECT_EQ(x.state(start + 4s), breaker_state::open);
  auto trial = x.admit(start + 5s);
  x.failed(start + 5s, early[5], 0);
  x.answered(early[6]);
  x.abandoned(early[7]);
  EXPECT_FALSE(x.admit(start + 5s));
  x.answered(*trial);
  x.failed(start + 6s, early[8], 0);
  EXPECT_EQ(x.describe(start + 6s), "takes calls");
}

TEST(circuit_breaker, it_says_how_things_are) {
  circuit_breaker x{policy};
  EXPECT_EQ(x.describe(start), "takes calls");
  fail(x, start);
  EXPECT_EQ(x.describe(start), "takes calls, but has failed once");
  fail(x, start);
  fail(x, start);
  EXPECT_EQ(x.describe(start + 1'500ms),
            "has failed 3 times in a row and is left alone for another 4 s");
  EXPECT_EQ(x.describe(start + 5s), "has failed 3 times in a row; the next call is a trial");
  EXPECT_TRUE(x.admit(start + 5s));
  EXPECT_EQ(x.describe(start + 5s), "has failed 3 times in a row; a trial call is out");
}

// A server that is away for an hour and back for the next, with many calls that want to go out:
// few are wasted while it is away, and all go out soon after it is back.
TEST(circuit_breaker, few_calls_go_to_a_server_that_is_away_and_it_is_found_when_back) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random{seed};
    auto chance = [&] { return std::uniform_real_distribution<>{}(random); };
    circuit_breaker x{policy};
    int wasted = 0;
    for (auto now = start; now < start + 1h; now += 1s)
      if (auto pass = x.admit(now)) {
        ++wasted;
        x.failed(now, *pass, chance());
      }
    EXPECT_LE(wasted, 3 + 3 + 3'600 / 30) << seed;
    EXPECT_GE(wasted, 3'600 / 61) << seed;
    auto back = start + 1h;
    ASSERT_LE(*x.opens_at(), back + 60s) << seed;
    auto trial = x.admit(std::max(back, *x.opens_at()));
    ASSERT_TRUE(trial) << seed;
    x.answered(*trial);
    EXPECT_EQ(x.state(back), breaker_state::closed) << seed;
  }
}
