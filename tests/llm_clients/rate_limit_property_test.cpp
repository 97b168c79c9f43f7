#include "tests/llm_clients/rate_limit_samples.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

// What holds whatever calls come and whatever servers say, over simulated hours.

using namespace std::chrono_literals;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::SizeIs;

namespace {

constexpr auto kinds = {rate_kind::requests, rate_kind::input_tokens, rate_kind::output_tokens,
                        rate_kind::tokens};

class dice {
public:
  explicit dice(unsigned seed) : random_(seed) {
    // nop
  }

  bool chance(double x) {
    return std::uniform_real_distribution<>{}(random_) < x;
  }

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution{low, high}(random_);
  }

  // Small numbers as often as large ones.
  std::int64_t magnitude(double low, double high) {
    auto x = std::uniform_real_distribution<>{std::log(low), std::log(high)}(random_);
    return static_cast<std::int64_t>(std::exp(x));
  }

  duration around(double mean_seconds) {
    auto x = std::exponential_distribution<>{1 / mean_seconds}(random_);
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>{x});
  }

private:
  std::mt19937_64 random_;
};

// A call on its way: what it reserves, and how it will end.
struct call {
  enum class ending { answered, charged, lost, refused };

  call_tokens reserved;
  call_tokens used;
  ending end = ending::answered;
  duration takes{};
  std::chrono::milliseconds retry_after{};
};

// What one call came to, as it counts in the end.
struct start_record {
  time_point at;
  std::array<std::int64_t, 4> counts; // by rate_kind
};

std::int64_t count(const start_record& x, rate_kind kind) {
  return x.counts[static_cast<std::size_t>(kind)];
}

// Whether no 60 seconds saw more than `limit` start, or only one call that had anything to count.
testing::AssertionResult keeps(const std::vector<start_record>& started, rate_kind kind,
                               std::int64_t limit) {
  std::int64_t sum = 0;
  auto oldest = started.begin();
  for (auto last = started.begin(); last != started.end(); ++last) {
    sum += count(*last, kind);
    for (; oldest->at + 60s < last->at; ++oldest)
      sum -= count(*oldest, kind);
    auto alone = [&](const start_record& x) { return count(x, kind) == sum; };
    if (sum > limit && std::none_of(oldest, last + 1, alone))
      return testing::AssertionFailure() << sum << " of " << limit << " started within a minute";
  }
  return testing::AssertionSuccess();
}

// Runs calls through a limit in simulated time, first come, first served.
class simulation {
public:
  explicit simulation(model_limits limits) : limit_(limits) {
    // nop
  }

  // Lets `x` arrive at `at`, no earlier than those before it.
  void arrive(time_point at, const call& x) {
    while (next_event() <= at)
      step();
    now_ = at;
    waiting_.push_back(x);
  }

  // Runs on until all have started and ended.
  void drain() {
    while (next_event() < time_point::max())
      step();
  }

  // Keeps a queue of what `make` makes until `end`.
  template <class Make>
  void saturate(time_point end, Make make) {
    while (now_ < end) {
      if (waiting_.empty())
        waiting_.push_back(make());
      step();
    }
  }

  const std::vector<start_record>& started() const {
    return started_;
  }

  const rate_limit& limit() const {
    return limit_;
  }

private:
  time_point next_start() const {
    if (waiting_.empty())
      return time_point::max();
    return limit_.next_time(now_, waiting_.front().reserved).value_or(time_point::max());
  }

  time_point next_end() const {
    return out_.empty() ? time_point::max() : out_.begin()->first;
  }

  time_point next_event() const {
    return std::min(next_start(), next_end());
  }

  void step() {
    auto starts = next_start();
    if (starts < time_point::max()) {
      // No call waits for ever: its time is near, and only comes nearer.
      ASSERT_LE(starts, now_ + 62s);
      ASSERT_LE(starts, promised_);
      promised_ = starts;
    }
    if (starts < next_end())
      return start(starts);
    auto node = out_.extract(out_.begin());
    now_ = node.key();
    end(node.mapped().first, node.mapped().second);
    check();
  }

  void start(time_point at) {
    now_ = at;
    auto x = waiting_.front();
    waiting_.pop_front();
    ASSERT_TRUE(may_start(limit_, now_, x.reserved));
    out_.emplace(now_ + x.takes, std::pair{limit_.start(now_, x.reserved), x});
    auto used = x.end == call::ending::answered  ? x.used
                : x.end == call::ending::charged ? x.reserved
                                                 : call_tokens{};
    started_.push_back({now_, {1, used.input, used.output, used.input + used.output}});
    promised_ = time_point::max();
  }

  void end(rate_limit::ticket id, const call& x) {
    switch (x.end) {
      case call::ending::answered:
        return limit_.answered(id, x.used);
      case call::ending::charged:
        return limit_.failed(id, true);
      case call::ending::lost:
        return limit_.failed(id, false);
      case call::ending::refused:
        promised_ = time_point::max();
        return limit_.refused(now_, id, x.retry_after);
    }
  }

  // What counts is never below nothing: then more than the limit would be free.
  void check() {
    for (auto kind : kinds)
      ASSERT_GE(limit_.counted(now_, kind), 0);
    ASSERT_GE(limit_.in_flight(), 1);
  }

  rate_limit limit_;
  time_point now_ = begin;
  time_point promised_ = time_point::max(); // to the first in `waiting_`
  std::deque<call> waiting_;
  std::multimap<time_point, std::pair<rate_limit::ticket, call>> out_; // by end
  std::vector<start_record> started_;
};

call random_call(dice& random, double most_tokens) {
  call x;
  x.reserved = {random.magnitude(1, most_tokens), random.magnitude(1, most_tokens)};
  x.used = {random.between(0, x.reserved.input), random.between(0, x.reserved.output)};
  x.takes = random.around(random.chance(0.1) ? 90 : 10);
  if (random.chance(0.1))
    x.end = random.chance(0.5) ? call::ending::charged : call::ending::lost;
  else if (random.chance(0.02))
    x.end = call::ending::refused;
  x.retry_after = std::chrono::milliseconds{random.between(0, 20'000)};
  return x;
}

model_limits random_limits(dice& random) {
  auto tokens = [&] { return random.chance(0.4) ? 0 : random.magnitude(1'000, 1e6); };
  auto result = requests(random.chance(0.3) ? 0 : random.magnitude(1, 300));
  result.input_tokens_per_minute = tokens();
  result.output_tokens_per_minute = tokens();
  result.tokens_per_minute = tokens();
  if (random.chance(0.5))
    result.in_flight = static_cast<std::int32_t>(random.between(1, 64));
  return result;
}

// The share of a minute's limit that a full queue of calls like `make()` gets, over three hours.
template <class Make>
double share_of(const model_limits& limits, rate_kind kind, Make make) {
  simulation x{limits};
  x.saturate(begin + 3h, make);
  std::int64_t sum = 0;
  for (const auto& each : x.started())
    sum += count(each, kind);
  EXPECT_TRUE(keeps(x.started(), kind, x.limit().limit(kind)));
  return static_cast<double>(sum) / (180.0 * static_cast<double>(x.limit().limit(kind)));
}

} // namespace

// Random calls, some beyond the limits, arrive in bursts and in lulls over hours.
TEST(rate_limit_properties, no_minute_sees_more_than_its_limit_start_and_no_call_waits_for_ever) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    dice random{seed};
    simulation x{random_limits(random)};
    auto most_tokens = static_cast<double>(random.magnitude(100, 1e5));
    auto pause = 0.05 * static_cast<double>(random.magnitude(1, 400));
    auto at = begin;
    for (int i = 0; i < 2'000; ++i) {
      at += random.around(random.chance(0.01) ? 60 * pause : pause);
      x.arrive(at, random_call(random, most_tokens));
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
    x.drain();
    EXPECT_THAT(x.started(), SizeIs(2'000));
    for (auto kind : kinds) {
      auto limit = x.limit().limit(kind);
      EXPECT_TRUE(limit == 0 || keeps(x.started(), kind, limit)) << lathe::to_string(kind);
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(rate_limit_properties, a_full_queue_uses_nine_tenths_of_the_requests) {
  dice random{1};
  for (auto limit : {1, 2, 7, 60, 500, 2'000}) {
    auto make = [&] {
      call x;
      x.takes = random.around(2);
      return x;
    };
    EXPECT_GE(share_of(requests(limit), rate_kind::requests, make), 0.9) << limit;
  }
}

TEST(rate_limit_properties, a_full_queue_uses_nine_tenths_of_the_tokens) {
  dice random{2};
  for (std::int64_t limit : {1'000, 30'000, 2'000'000}) {
    auto make = [&] {
      call x;
      x.reserved = x.used = {random.between(0, limit / 20), random.between(0, limit / 20)};
      x.takes = random.around(2);
      return x;
    };
    EXPECT_GE(share_of({0, limit, 0, 0, many}, rate_kind::input_tokens, make), 0.9) << limit;
    EXPECT_GE(share_of({0, 0, limit, 0, many}, rate_kind::output_tokens, make), 0.9) << limit;
    EXPECT_GE(share_of({0, 0, 0, limit, many}, rate_kind::tokens, make), 0.9) << limit;
  }
}

// Calls that reserve ten times what they use, and say so after two seconds: without corrections
// they would get a tenth.
TEST(rate_limit_properties, tokens_that_come_back_are_used_again) {
  dice random{3};
  auto make = [&] {
    call x;
    x.reserved = {0, 1'000};
    x.used = {0, random.between(50, 150)};
    x.takes = random.around(2);
    return x;
  };
  EXPECT_GE(share_of({0, 0, 60'000, 0, many}, rate_kind::output_tokens, make), 0.7);
}

namespace {

// Requests at a server with a bucket that holds a minute's worth and refills continuously.
class server_bucket {
public:
  explicit server_bucket(double limit) : limit_(limit), level_(limit) {
    // nop
  }

  bool take(time_point now) {
    std::chrono::duration<double> passed = now - at_;
    level_ = std::min(limit_, level_ + passed.count() * limit_ / 60);
    at_ = now;
    auto enough = level_ >= 1;
    level_ -= enough ? 1 : 0;
    return enough;
  }

  headers say() const {
    auto missing = static_cast<std::int64_t>((limit_ - level_) * 60'000 / limit_);
    return openai(std::to_string(static_cast<std::int64_t>(limit_)),
                  std::to_string(static_cast<std::int64_t>(level_)),
                  std::to_string(missing) + "ms");
  }

private:
  double limit_;
  double level_;
  time_point at_ = begin;
};

} // namespace

TEST(rate_limit_properties, a_server_s_bucket_never_refuses_who_knows_its_limit) {
  for (auto limit : {1, 10, 300}) {
    rate_limit x{requests(limit)};
    server_bucket server{static_cast<double>(limit)};
    dice random{static_cast<unsigned>(limit)};
    for (auto now = begin; now < begin + 3h; now += random.around(random.chance(0.01) ? 60 : 0.1))
      if (may_start(x, now)) {
        x.answered(x.start(now, {}), {});
        ASSERT_TRUE(server.take(now)) << limit;
      }
  }
}

// Somebody else takes half of what a server allows, and nobody told us: its headers do.
TEST(rate_limit_properties, headers_share_a_limit_with_others) {
  constexpr std::int64_t a_minute = 60;
  rate_limit x{requests(0, 8)};
  server_bucket server{a_minute};
  dice random{5};
  int ours = 0;
  int refused = 0;
  auto other = begin;
  for (auto now = begin; now < begin + 3h; now += 100ms) {
    for (; other <= now; other += random.around(2))
      server.take(now);
    while (may_start(x, now)) {
      auto call = x.start(now, {});
      auto taken = server.take(now);
      x.observe(now, server.say());
      taken ? x.answered(call, {}) : x.refused(now, call, 1s);
      ++(taken ? ours : refused);
    }
  }
  EXPECT_GE(ours, 0.9 * 180 * a_minute / 2);
  EXPECT_LE(refused, 0.05 * ours);
}

TEST(rate_limit_properties, no_header_makes_a_call_wait_longer_than_an_hour) {
  constexpr std::string_view letters = "0123456789999..--++::TZzdhmsun e";
  dice random{4};
  auto garble = [&](std::string text) {
    for (auto& c : text)
      if (random.chance(0.2))
        c = letters[static_cast<std::size_t>(random.between(0, std::ssize(letters) - 1))];
    return text.substr(0, static_cast<std::size_t>(random.between(0, std::ssize(text))));
  };
  rate_limit x{requests(100, 4)};
  auto now = begin;
  for (int i = 0; i < 50'000; ++i) {
    x.observe(now, openai(garble("60"), garble("100000"), garble("6m0.5s")));
    x.observe(now, anthropic(random.chance(0.5) ? "input-tokens" : "requests", garble("99"),
                             garble("0"), garble("2025-10-25T12:00:30.25+01:00"),
                             garble("Sat, 25 Oct 2025 12:00:00 GMT")));
    call_tokens call{random.magnitude(1, 1e9), 0};
    auto next = x.next_time(now, call);
    ASSERT_TRUE(next);
    ASSERT_LE(*next, now + 1h);
    now = *next;
    x.answered(x.start(now, call), {});
  }
}
