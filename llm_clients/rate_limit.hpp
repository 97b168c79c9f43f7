#pragma once

#include "messages/enum_names.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::llm_clients {

/// What a minute has a limit of.
enum class rate_kind : std::uint8_t {
  requests,
  input_tokens,
  output_tokens,
  tokens, ///< input and output together, as OpenAI counts
};

} // namespace lathe::llm_clients

namespace lathe {

template <>
struct enum_names<llm_clients::rate_kind> {
  static constexpr std::array<std::string_view, 4> value = {"requests", "input tokens",
                                                            "output tokens", "tokens"};
};

} // namespace lathe

namespace lathe::llm_clients {

/// What a person allows for one model. Zero a minute: no limit but the server's.
struct model_limits {
  std::int64_t requests_per_minute = 0;
  std::int64_t input_tokens_per_minute = 0;
  std::int64_t output_tokens_per_minute = 0;
  std::int64_t tokens_per_minute = 0; ///< input and output together
  std::int32_t in_flight = 16;        ///< calls at once, at least 1
};

/// The tokens of one call: estimated input and most output before it, what was reported after it.
struct call_tokens {
  std::int64_t input = 0;
  std::int64_t output = 0;
};

/// What the last response that spoke of it said of a limit.
struct seen_limit {
  rate_kind kind = rate_kind::requests;
  std::optional<std::int64_t> limit;
  std::optional<std::int64_t> remaining;
  std::chrono::steady_clock::time_point full_at; ///< when all of it is back; set with `remaining`
};

/// Decides when a call of one model may go out. Pure: no clock, no actors, no network.
///
/// A minute's limits are kept by a sliding window: a call may start when it and what started in the
/// last 61 seconds come to no more than the limit. A token bucket cannot keep them: one of capacity
/// C and refill R lets C + R start in a minute, so a full minute's burst doubles the limit, and
/// with C + R <= limit a refill of nine tenths leaves a capacity that no call of a fifth of a
/// minute's tokens fits, which agents make. The window lets a minute's worth start at once and
/// never more within any 60 seconds; servers accept that whether they count in fixed minutes, in
/// sliding ones, or with a bucket of a minute. The second beyond the minute makes up for calls that
/// travel at different speeds.
///
/// Calls in flight grow by one after as many successes as may be out at once, and are halved by a
/// refusal: additive increase, multiplicative decrease, as TCP does.
class rate_limit {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// For so long a start counts.
  static constexpr std::chrono::seconds window{61};

  /// Names a call that is out; never used twice.
  using ticket = std::uint64_t;

  explicit rate_limit(model_limits configured);

  // -- calls ------------------------------------------------------------------------------

  /// Returns when `request` may start if nothing else does before: `now` or later. Nothing while
  /// as many calls are out as may be, until one of them ends. A request beyond a minute's limit
  /// starts when nothing else counts. Ends of calls and headers can bring the time forward or put
  /// it off, so ask again after each.
  std::optional<time_point> next_time(time_point now, const call_tokens& request) const;

  /// Starts a call, which `next_time` allowed, and reserves its tokens.
  ticket start(time_point now, const call_tokens& request);

  /// Ends a call that was answered: what it did not use may be used by others.
  void answered(ticket id, const call_tokens& used);

  /// Ends a call that failed, but not with 429. It keeps counting as a request, and with its tokens
  /// when the server may have counted them.
  void failed(ticket id, bool may_be_charged);

  /// Ends a call that was refused with 429. No call starts for `retry_after`, or for a second when
  /// the server does not say. Calls that were out together are halved once, not once each.
  void refused(time_point now, ticket id, std::chrono::milliseconds retry_after);

  // -- what the server says ---------------------------------------------------------------

  /// Takes the headers of any response, names in lower case: `x-ratelimit-*` of many servers and
  /// Anthropic's `anthropic-ratelimit-*`. What makes no sense is passed over. Anthropic's dates are
  /// read against the response's own `date`, so no clock of ours has to be right. What is left at
  /// the server is taken to come back evenly until its reset, and a twentieth is left to others.
  void observe(time_point now, const std::map<std::string, std::string>& headers);

  // -- properties -------------------------------------------------------------------------

  /// What the server said of its limits, in the order of `rate_kind`.
  std::vector<seen_limit> seen() const;

  /// The limit that is kept: the lower of the configured and the server's. Zero: none.
  std::int64_t limit(rate_kind kind) const;

  /// What counts against the limit at `now`.
  std::int64_t counted(time_point now, rate_kind kind) const;

  /// How many calls may be out at once after refusals and successes.
  std::int32_t in_flight() const {
    return in_flight_;
  }

  /// No call starts before, since a server refused one; in the past when none is held up.
  time_point held_until() const {
    return held_until_;
  }

private:
  static constexpr std::size_t kinds = enum_names<rate_kind>::value.size();

  using amounts = std::array<std::int64_t, kinds>;

  // Calls that started within a fraction of a second, counted as if all were as late as the last,
  // so that the window's size does not depend on the number of calls.
  struct slot {
    time_point first;
    time_point last;
    amounts counted{};
  };

  struct under_way {
    std::uint64_t slot = 0;
    amounts reserved{};
  };

  struct report {
    std::optional<std::int64_t> limit;
    std::optional<std::int64_t> remaining;
    time_point at;            // of `remaining`
    time_point full_at;       // when the server will have refilled it to `limit`
    std::int64_t started = 0; // since `at`
  };

  static amounts amounts_of(const call_tokens& tokens);

  time_point window_allows(time_point now, std::size_t kind, std::int64_t need) const;

  time_point server_allows(time_point now, std::size_t kind, std::int64_t need) const;

  // Replaces what a call reserved by what it used. What has left the window is past correcting.
  void correct(const under_way& call, const call_tokens& used);

  amounts configured_{};
  std::int32_t most_in_flight_;
  std::int32_t in_flight_;
  std::int32_t successes_ = 0; // since `in_flight_` changed
  time_point held_until_ = time_point::min();
  std::deque<slot> slots_;       // by time
  std::uint64_t first_slot_ = 0; // number of the first in `slots_`
  std::map<ticket, under_way> out_;
  ticket last_ticket_ = 0;
  ticket halved_up_to_ = 0; // calls that were out when `in_flight_` was halved
  std::array<report, kinds> reports_;
};

} // namespace lathe::llm_clients
