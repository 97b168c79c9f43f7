#include "tests/llm_clients/rate_limit_samples.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <vector>

using namespace std::chrono_literals;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::IsEmpty;
using testing::SizeIs;

namespace {

// Starts calls as long as they may, at most `most`, and returns their tickets.
std::vector<rate_limit::ticket> start_all(rate_limit& x, time_point now, int most = 1'000,
                                          call_tokens call = {}) {
  std::vector<rate_limit::ticket> result;
  while (result.size() < static_cast<std::size_t>(most) && may_start(x, now, call))
    result.push_back(x.start(now, call));
  return result;
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
