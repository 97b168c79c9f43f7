#pragma once

#include "messages/enum_names.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::llm_clients {

enum class breaker_state : std::uint8_t {
  closed,    ///< calls go out
  open,      ///< none does
  half_open, ///< one does, to find out
};

} // namespace lathe::llm_clients

namespace lathe {

template <>
struct enum_names<llm_clients::breaker_state> {
  static constexpr std::array<std::string_view, 3> value = {"closed", "open", "half-open"};
};

} // namespace lathe

namespace lathe::llm_clients {

/// When an endpoint is left alone, and for how long.
struct breaker_policy {
  int failures = 5;                            ///< in a row that open it, at least 1
  std::chrono::milliseconds cool_down{10'000}; ///< longest wait for the first trial call
  std::chrono::milliseconds longest{300'000};  ///< what the cool-down is doubled up to
};

/// Leaves an endpoint alone that keeps failing, and finds out with single calls whether it is back.
/// A failure is the server's: HTTP 5xx, or no connection. Every other answer, 429 and 4xx included,
/// shows that the server is there. Pure: no clock, no actors, no network.
class circuit_breaker {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// What a call goes out with. Calls that went out before the breaker opened show a pass of then,
  /// so how they end says nothing of the endpoint now and is ignored.
  using pass = std::uint64_t;

  explicit circuit_breaker(breaker_policy policy);

  // -- calls ------------------------------------------------------------------------------

  /// Lets a call go out, or returns nothing. Every pass has to be ended by one of the next three,
  /// or the trial call is waited for without end.
  std::optional<pass> admit(time_point now);

  /// Ends a call that the server answered.
  void answered(pass id);

  /// Ends a call that failed. The cool-down, if one begins, is between half and all of its longest,
  /// at the point picked by `chance` in [0, 1), so that nodes do not come back together.
  void failed(time_point now, pass id, double chance);

  /// Ends a call that says nothing of the server: it was cancelled.
  void abandoned(pass id);

  // -- properties -------------------------------------------------------------------------

  breaker_state state(time_point now) const;

  /// When the next trial call may go out. Nothing while closed, or while a trial call is out, whose
  /// end decides.
  std::optional<time_point> opens_at() const;

  /// Says in a sentence without an end stop how things are, for after the endpoint's name.
  std::string describe(time_point now) const;

private:
  void open(time_point now, double chance);

  breaker_policy policy_;
  int failures_ = 0; // in a row
  int openings_ = 0; // since the server last answered; zero: closed
  bool trial_out_ = false;
  time_point cool_at_; // end of the cool-down, unless closed
  pass current_ = 1;
};

} // namespace lathe::llm_clients
