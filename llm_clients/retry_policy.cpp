#include "llm_clients/retry_policy.hpp"

#include <algorithm>
#include <cmath>

namespace lathe::llm_clients {

std::optional<std::chrono::milliseconds> next_wait(const retry_policy& policy, int failed,
                                                   std::chrono::milliseconds retry_after,
                                                   double chance) {
  using std::chrono::milliseconds;
  if (failed >= policy.attempts || retry_after > policy.patience)
    return std::nullopt;
  auto doubled = static_cast<double>(policy.base.count()) * std::exp2(failed - 1);
  auto longest = std::min(doubled, static_cast<double>(policy.cap.count()));
  return retry_after + milliseconds{static_cast<milliseconds::rep>(longest * chance)};
}

} // namespace lathe::llm_clients
