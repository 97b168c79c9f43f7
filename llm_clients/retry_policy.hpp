#pragma once

#include <chrono>
#include <optional>

namespace lathe::llm_clients {

/// How patient the gateway is with a call that may work later.
struct retry_policy {
  int attempts = 6;                            ///< in all, the first included
  std::chrono::milliseconds base{1'000};       ///< longest wait after the first attempt
  std::chrono::milliseconds cap{60'000};       ///< longest wait after any attempt
  /// Longest `Retry-After` that is one of the attempts; beyond, the model waits until it is over.
  std::chrono::milliseconds patience{300'000};
  std::chrono::milliseconds unsaid{10'000};    ///< after a 429 that does not say how long
};

/// Returns how long to wait after `failed` attempts, or nothing when it is time to give up.
/// Exponential with full jitter: a point between zero and the longest wait, picked by
/// `chance` in [0, 1), so that calls that failed together do not come back together. What the
/// server asked for is waited in full, and jitter comes on top.
std::optional<std::chrono::milliseconds> next_wait(const retry_policy& policy, int failed,
                                                   std::chrono::milliseconds retry_after,
                                                   double chance);

} // namespace lathe::llm_clients
