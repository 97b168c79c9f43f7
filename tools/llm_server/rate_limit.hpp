#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lathe::llm_server {

/// Requests a minute, as OpenAI counts them: a full bucket of that many, which fills up again
/// evenly. Pure: the time comes from outside.
class rate_limit {
public:
  using clock = std::chrono::steady_clock;

  /// What the limit says about one request.
  struct verdict {
    bool allowed = false;
    std::uint32_t limit = 0;
    std::uint32_t remaining = 0;
    std::chrono::duration<double> reset{0};       ///< until the bucket is full again
    std::chrono::duration<double> retry_after{0}; ///< until one more is allowed
  };

  rate_limit(std::uint32_t a_minute, clock::time_point now)
    : limit_(a_minute), left_(a_minute), last_(now) {
    // nop
  }

  /// Counts one request, unless it is one too many.
  verdict ask(clock::time_point now);

  bool full(clock::time_point now) const {
    return left_at(now) >= limit_;
  }

private:
  double left_at(clock::time_point now) const;

  std::uint32_t limit_;
  double left_; // requests, at `last_`
  clock::time_point last_;
};

/// As OpenAI writes the time of a reset: "20ms", "7.5s", "1m0s".
std::string reset_text(std::chrono::duration<double> time);

} // namespace lathe::llm_server
