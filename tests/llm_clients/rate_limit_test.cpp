#include "llm_clients/rate_limit.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

using namespace std::chrono_literals;
using namespace lathe::llm_clients;
using testing::IsEmpty;
using testing::SizeIs;

namespace {

using time_point = rate_limit::time_point;
using duration = time_point::duration;
using headers = std::map<std::string, std::string>;

const auto begin = time_point{} + 1h;
constexpr auto kinds = {rate_kind::requests, rate_kind::input_tokens, rate_kind::output_tokens,
                        rate_kind::tokens};

// So many calls at once that nothing but the minute holds any up.
constexpr std::int32_t many = 1'000'000;

model_limits requests(std::int64_t a_minute, std::int32_t in_flight = many) {
  return {a_minute, 0, 0, 0, in_flight};
}

bool may_start(const rate_limit& x, time_point now, call_tokens call = {}) {
  return x.next_time(now, call) == now;
}

// Starts calls as long as they may, at most `most`, and returns their tickets.
std::vector<rate_limit::ticket> start_all(rate_limit& x, time_point now, int most = 1'000,
                                          call_tokens call = {}) {
  std::vector<rate_limit::ticket> result;
  while (result.size() < static_cast<std::size_t>(most) && may_start(x, now, call))
    result.push_back(x.start(now, call));
  return result;
}

headers openai(std::string limit, std::string remaining, std::string reset) {
  return {{"x-ratelimit-limit-requests", std::move(limit)},
          {"x-ratelimit-remaining-requests", std::move(remaining)},
          {"x-ratelimit-reset-requests", std::move(reset)}};
}

headers anthropic(const std::string& what, std::string limit, std::string remaining,
                  std::string reset, std::string date = "Sat, 25 Oct 2025 12:00:00 GMT") {
  return {{"anthropic-ratelimit-" + what + "-limit", std::move(limit)},
          {"anthropic-ratelimit-" + what + "-remaining", std::move(remaining)},
          {"anthropic-ratelimit-" + what + "-reset", std::move(reset)},
          {"date", std::move(date)}};
}

// How long a call waits that nothing but `said` holds up.
duration wait_after(const headers& said, call_tokens call = {}) {
  rate_limit x{requests(0)};
  x.observe(begin, said);
  return *x.next_time(begin, call) - begin;
}

// What `reset` is read as: a limit of one is back when all of it is.
duration read_reset(const std::string& reset) {
  return wait_after(openai("1", "0", reset));
}

} // namespace

// -- the minute -----------------------------------------------------------------------------

TEST(rate_limit, without_limits_everything_starts_at_once) {
  rate_limit x{requests(0)};
  EXPECT_THAT(start_all(x, begin, 1'000, {1'000'000'000, 1'000'000'000}), SizeIs(1'000));
}

TEST(rate_limit, a_minute_s_requests_may_start_together_and_the_next_a_minute_later) {
  rate_limit x{requests(3)};
  EXPECT_THAT(start_all(x, begin), SizeIs(3));
  EXPECT_EQ(x.next_time(begin + 1s, {}), begin + 61s);
  EXPECT_THAT(start_all(x, begin + 61s), SizeIs(3));
}

TEST(rate_limit, room_comes_back_in_the_order_it_was_taken) {
  rate_limit x{requests(2)};
  x.start(begin, {});
  x.start(begin + 20s, {});
  EXPECT_EQ(x.next_time(begin + 30s, {}), begin + 61s);
  x.start(begin + 61s, {});
  EXPECT_EQ(x.next_time(begin + 61s, {}), begin + 81s);
}

TEST(rate_limit, calls_of_the_same_moment_count_as_long_as_the_last_of_them) {
  rate_limit x{requests(2)};
  x.start(begin, {});
  x.start(begin + 200ms, {});
  EXPECT_EQ(x.next_time(begin + 1s, {}), begin + 61s + 200ms);
}

TEST(rate_limit, each_kind_of_tokens_has_a_limit_of_its_own) {
  rate_limit x{{0, 1'000, 100, 1'050, many}};
  x.start(begin, {500, 50});
  EXPECT_TRUE(may_start(x, begin, {450, 50}));
  EXPECT_FALSE(may_start(x, begin, {501, 0}));
  EXPECT_FALSE(may_start(x, begin, {0, 51}));
  EXPECT_FALSE(may_start(x, begin, {460, 45}));
}

TEST(rate_limit, what_a_call_did_not_use_may_be_used_by_others) {
  rate_limit x{{0, 1'000, 1'000, 0, many}};
  auto first = x.start(begin, {900, 900});
  EXPECT_EQ(x.next_time(begin + 5s, {500, 500}), begin + 61s);
  x.answered(first, {500, 20});
  EXPECT_TRUE(may_start(x, begin + 5s, {500, 500}));
  EXPECT_EQ(x.counted(begin + 5s, rate_kind::input_tokens), 500);
  EXPECT_EQ(x.counted(begin + 5s, rate_kind::output_tokens), 20);
  EXPECT_EQ(x.counted(begin + 5s, rate_kind::tokens), 520);
  EXPECT_EQ(x.counted(begin + 5s, rate_kind::requests), 1);
}

TEST(rate_limit, what_a_call_used_beyond_its_estimate_counts) {
  rate_limit x{{0, 1'000, 0, 0, many}};
  x.answered(x.start(begin, {100, 0}), {1'500, 0});
  EXPECT_EQ(x.next_time(begin + 1s, {1, 0}), begin + 61s);
}

TEST(rate_limit, a_correction_that_comes_after_a_minute_changes_nothing) {
  rate_limit x{{0, 1'000, 0, 0, many}};
  auto late = x.start(begin, {1'000, 0});
  auto next = x.start(begin + 61s, {1'000, 0});
  x.answered(late, {0, 0});
  EXPECT_EQ(x.counted(begin + 62s, rate_kind::input_tokens), 1'000);
  x.answered(next, {10, 0});
  EXPECT_EQ(x.counted(begin + 62s, rate_kind::input_tokens), 10);
}

TEST(rate_limit, a_call_ends_once) {
  rate_limit x{{0, 1'000, 0, 0, 4}};
  auto call = x.start(begin, {1'000, 0});
  x.failed(call, false);
  x.answered(call, {0, 0});
  x.refused(begin, call, 0ms);
  x.answered(99, {500, 0});
  EXPECT_EQ(x.counted(begin, rate_kind::input_tokens), 0);
  EXPECT_EQ(x.in_flight(), 4);
}

TEST(rate_limit, a_failed_call_keeps_its_tokens_when_the_server_may_have_counted_them) {
  rate_limit x{{0, 1'000, 0, 0, many}};
  x.failed(x.start(begin, {400, 0}), true);
  x.failed(x.start(begin, {400, 0}), false);
  EXPECT_EQ(x.counted(begin, rate_kind::input_tokens), 400);
  EXPECT_EQ(x.counted(begin, rate_kind::requests), 2);
}

TEST(rate_limit, a_call_beyond_a_minute_s_limit_starts_alone) {
  rate_limit x{{0, 1'000, 0, 0, many}};
  EXPECT_TRUE(may_start(x, begin, {5'000, 0}));
  x.start(begin, {1, 0});
  EXPECT_EQ(x.next_time(begin + 1s, {5'000, 0}), begin + 61s);
  x.start(begin + 61s, {5'000, 0});
  EXPECT_EQ(x.next_time(begin + 62s, {1, 0}), begin + 122s);
}

TEST(rate_limit, senseless_numbers_do_no_harm) {
  constexpr auto huge = std::numeric_limits<std::int64_t>::max();
  rate_limit x{{-1, 1'000, huge, -huge, -5}};
  EXPECT_EQ(x.in_flight(), 1);
  EXPECT_EQ(x.limit(rate_kind::requests), 0);
  for (int i = 0; i < 100; ++i) {
    auto now = *x.next_time(begin, {huge, huge});
    auto call = x.start(now, {huge, huge});
    EXPECT_FALSE(x.next_time(now, {}));
    x.answered(call, {-huge, -1});
    EXPECT_EQ(x.counted(now, rate_kind::tokens), 0);
  }
  x.refused(begin, 0, std::chrono::milliseconds::max());
  EXPECT_EQ(x.held_until(), begin + 1h);
  x.refused(begin, 0, std::chrono::milliseconds::min());
  EXPECT_EQ(x.held_until(), begin + 1h);
}

// -- calls in flight ------------------------------------------------------------------------

TEST(rate_limit, so_many_calls_are_out_at_once) {
  rate_limit x{requests(0, 2)};
  auto out = start_all(x, begin);
  ASSERT_THAT(out, SizeIs(2));
  EXPECT_FALSE(x.next_time(begin, {}));
  x.failed(out[0], true);
  EXPECT_TRUE(may_start(x, begin));
}

TEST(rate_limit, nobody_goes_out_before_the_time_a_refusal_names) {
  rate_limit x{requests(0)};
  auto out = start_all(x, begin, 2);
  x.refused(begin, out[0], 20s);
  EXPECT_EQ(x.next_time(begin + 1s, {}), begin + 20s);
  x.refused(begin + 2s, out[1], 5s);
  EXPECT_EQ(x.next_time(begin + 2s, {}), begin + 20s);
  EXPECT_TRUE(may_start(x, begin + 20s));
}

TEST(rate_limit, a_refusal_that_names_no_time_is_waited_out_for_a_second) {
  rate_limit x{requests(0)};
  x.refused(begin, x.start(begin, {}), 0ms);
  EXPECT_EQ(x.next_time(begin, {}), begin + 1s);
}

TEST(rate_limit, a_refused_call_used_no_tokens_but_was_a_request) {
  rate_limit x{{10, 1'000, 0, 0, many}};
  x.refused(begin, x.start(begin, {1'000, 0}), 1s);
  EXPECT_EQ(x.counted(begin, rate_kind::input_tokens), 0);
  EXPECT_EQ(x.counted(begin, rate_kind::requests), 1);
}

TEST(rate_limit, refusals_halve_what_may_be_out_down_to_one) {
  rate_limit x{requests(0, 16)};
  auto now = begin;
  for (auto expected : {8, 4, 2, 1, 1, 1}) {
    x.refused(now, x.start(now, {}), 1s);
    EXPECT_EQ(x.in_flight(), expected);
    now += 1s;
  }
}

TEST(rate_limit, calls_that_were_out_together_halve_it_once) {
  rate_limit x{requests(0, 16)};
  auto out = start_all(x, begin);
  ASSERT_THAT(out, SizeIs(16));
  for (auto call : out)
    x.refused(begin + 1s, call, 1s);
  EXPECT_EQ(x.in_flight(), 8);
  x.refused(begin + 2s, x.start(begin + 2s, {}), 1s);
  EXPECT_EQ(x.in_flight(), 4);
}

TEST(rate_limit, successes_win_it_back_one_by_one_up_to_what_is_configured) {
  rate_limit x{requests(0, 8)};
  for (int i = 0; i < 3; ++i)
    x.refused(begin, x.start(begin, {}), 1s);
  std::vector<std::int32_t> grown;
  for (int i = 0; i < 40; ++i) {
    x.answered(x.start(begin + 2s, {}), {});
    grown.push_back(x.in_flight());
  }
  EXPECT_THAT((std::vector(grown.begin(), grown.begin() + 7)),
              testing::ElementsAre(2, 2, 3, 3, 3, 4, 4));
  EXPECT_EQ(grown.back(), 8);
}

// -- headers --------------------------------------------------------------------------------

TEST(rate_limit, the_lower_of_the_configured_and_the_server_s_limit_is_kept) {
  rate_limit x{requests(100)};
  x.observe(begin, {{"x-ratelimit-limit-requests", "500"}});
  EXPECT_EQ(x.limit(rate_kind::requests), 100);
  x.observe(begin, {{"x-ratelimit-limit-requests", "20"}});
  EXPECT_EQ(x.limit(rate_kind::requests), 20);
  EXPECT_THAT(start_all(x, begin), SizeIs(20));
}

TEST(rate_limit, a_server_s_limit_is_kept_where_none_is_configured) {
  rate_limit x{requests(0)};
  x.start(begin, {300, 300});
  x.observe(begin, {{"x-ratelimit-limit-tokens", "1000"}});
  EXPECT_EQ(x.next_time(begin, {300, 300}), begin + 61s);
}

TEST(rate_limit, what_is_left_at_the_server_comes_back_bit_by_bit) {
  rate_limit x{requests(0)};
  x.observe(begin, openai("10", "2", "48s"));
  EXPECT_THAT(start_all(x, begin), SizeIs(2));
  EXPECT_EQ(x.next_time(begin, {}), begin + 6s);
  EXPECT_EQ(x.next_time(begin + 5s, {}), begin + 6s);
  EXPECT_TRUE(may_start(x, begin + 6s));
}

TEST(rate_limit, a_twentieth_of_what_the_server_has_is_left_to_others) {
  EXPECT_EQ(wait_after(openai("60", "0", "1m0s")), 4s);
  EXPECT_EQ(wait_after(openai("60", "3", "57s")), 1s);
  EXPECT_EQ(wait_after(openai("60", "4", "56s")), 0s);
}

TEST(rate_limit, a_call_beyond_the_server_s_limit_waits_until_all_of_it_is_back) {
  headers said = {{"x-ratelimit-limit-tokens", "100"},
                  {"x-ratelimit-remaining-tokens", "10"},
                  {"x-ratelimit-reset-tokens", "54s"}};
  EXPECT_EQ(wait_after(said, {100, 9'000}), 54s);
  EXPECT_EQ(wait_after(said, {5, 0}), 0s);
}

TEST(rate_limit, without_a_limit_what_is_left_comes_back_at_once) {
  headers said = {{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "30s"}};
  EXPECT_EQ(wait_after(said), 30s);
}

TEST(rate_limit, durations_are_read_as_servers_write_them) {
  EXPECT_EQ(read_reset("6m0s"), 6min);
  EXPECT_EQ(read_reset("1.5s"), 1'500ms);
  EXPECT_EQ(read_reset("20ms"), 20ms);
  EXPECT_EQ(read_reset("1m30.25s"), 90'250ms);
  EXPECT_EQ(read_reset("0h10m0s"), 10min);
  EXPECT_EQ(read_reset("0s"), 0s);
}

TEST(rate_limit, dates_are_read_against_the_response_s_own) {
  auto wait = [](const char* reset) { return wait_after(anthropic("requests", "1", "0", reset)); };
  EXPECT_EQ(wait("2025-10-25T12:00:30Z"), 30s);
  EXPECT_EQ(wait("2025-10-25T12:00:30.999Z"), 30s);
  EXPECT_EQ(wait("2025-10-25T14:00:30+02:00"), 30s);
  EXPECT_EQ(wait("2025-10-25T11:30:30-00:30"), 30s);
  EXPECT_EQ(wait("2025-10-25T11:59:00Z"), 0s);
  EXPECT_EQ(wait("1970-01-01T00:00:00Z"), 0s);
  EXPECT_EQ(wait("2125-10-25T11:59:00Z"), 1h);
}

TEST(rate_limit, a_date_without_the_response_s_own_counts_as_a_minute) {
  for (auto date : {"", "yesterday"})
    EXPECT_EQ(wait_after(anthropic("requests", "1", "0", "2025-10-25T12:00:30Z", date)), 60s);
}

TEST(rate_limit, input_and_output_tokens_have_headers_of_their_own) {
  rate_limit x{requests(0)};
  x.observe(begin, anthropic("input-tokens", "1000", "500", "2025-10-25T12:00:30Z"));
  x.observe(begin, anthropic("output-tokens", "100", "50", "2025-10-25T12:00:30Z"));
  EXPECT_TRUE(may_start(x, begin, {450, 45}));
  EXPECT_EQ(x.next_time(begin, {700, 0}), begin + 15s);
  EXPECT_EQ(x.next_time(begin, {0, 55}), begin + 6s);
}

TEST(rate_limit, headers_without_sense_are_passed_over) {
  for (auto nonsense : {"", " ", "-1", "soon", "1e9", "7.5", "0x10", "99999999999999999999",
                        "9223372036854775807", "12 requests", "nan", "inf"}) {
    rate_limit x{requests(5)};
    x.observe(begin, openai(nonsense, nonsense, nonsense));
    x.observe(begin, anthropic("requests", nonsense, nonsense, nonsense, nonsense));
    EXPECT_THAT(x.seen(), IsEmpty()) << nonsense;
    EXPECT_THAT(start_all(x, begin), SizeIs(5)) << nonsense;
  }
}

TEST(rate_limit, a_limit_of_zero_is_none) {
  rate_limit x{requests(5)};
  x.observe(begin, {{"x-ratelimit-limit-requests", "0"}});
  EXPECT_EQ(x.limit(rate_kind::requests), 5);
}

TEST(rate_limit, a_reset_without_sense_counts_as_a_minute_and_none_is_believed_beyond_an_hour) {
  for (auto nonsense : {"",
                        "soon",
                        "-5s",
                        "5",
                        "5 s",
                        "s",
                        "5s!",
                        "..s",
                        "1.2.3s",
                        "nans",
                        "infs",
                        "0x1s",
                        "1e3s",
                        "1760000000",
                        "2025-10-25",
                        "2025-10-25T12:00:00",
                        "2025-10-25T12:00:00.",
                        "T",
                        "5x",
                        "5s-"})
    EXPECT_EQ(read_reset(nonsense), 60s) << nonsense;
  EXPECT_EQ(read_reset("99999999999999h"), 1h);
  EXPECT_EQ(read_reset(std::string(300, '9') + "d"), 1h);
  EXPECT_EQ(read_reset(std::string(400, '9') + "s"), 60s);
}

TEST(rate_limit, limits_seen_are_readable) {
  rate_limit x{requests(5)};
  EXPECT_THAT(x.seen(), IsEmpty());
  x.observe(begin, anthropic("output-tokens", "8000", "100", "2025-10-25T12:00:30Z"));
  x.observe(begin, {{"x-ratelimit-limit-requests", "60"}});
  auto seen = x.seen();
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_EQ(seen[0].kind, rate_kind::requests);
  EXPECT_EQ(seen[0].limit, 60);
  EXPECT_FALSE(seen[0].remaining);
  EXPECT_EQ(lathe::to_string(seen[1].kind), "output tokens");
  EXPECT_EQ(seen[1].remaining, 100);
  EXPECT_EQ(seen[1].full_at, begin + 30s);
}

// -- properties -----------------------------------------------------------------------------

namespace {

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
TEST(rate_limit, no_minute_sees_more_than_its_limit_start_and_no_call_waits_for_ever) {
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

TEST(rate_limit, a_full_queue_uses_nine_tenths_of_the_requests) {
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

TEST(rate_limit, a_full_queue_uses_nine_tenths_of_the_tokens) {
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
TEST(rate_limit, tokens_that_come_back_are_used_again) {
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

TEST(rate_limit, a_server_s_bucket_never_refuses_who_knows_its_limit) {
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
TEST(rate_limit, headers_share_a_limit_with_others) {
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

TEST(rate_limit, no_header_makes_a_call_wait_longer_than_an_hour) {
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
