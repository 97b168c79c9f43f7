#include "tools/llm_server/rate_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lathe::llm_server {

rate_limit::verdict rate_limit::ask(clock::time_point now) {
  left_ = left_at(now);
  last_ = now;
  verdict result;
  result.allowed = left_ >= 1;
  if (result.allowed)
    left_ -= 1;
  auto each = std::chrono::duration<double>{60.0 / limit_};
  result.limit = limit_;
  result.remaining = static_cast<std::uint32_t>(left_);
  result.reset = each * (limit_ - left_);
  result.retry_after = each * std::max(0.0, 1 - left_);
  return result;
}

double rate_limit::left_at(clock::time_point now) const {
  auto passed = std::chrono::duration<double>(now - last_).count();
  return std::min<double>(limit_, left_ + passed * limit_ / 60);
}

std::string reset_text(std::chrono::duration<double> time) {
  auto ms = std::llround(time.count() * 1e3);
  if (ms < 1000)
    return fmt::format("{}ms", ms);
  auto seconds = fmt::format("{}s", static_cast<double>(ms % 60'000) / 1e3);
  return ms < 60'000 ? seconds : fmt::format("{}m{}", ms / 60'000, seconds);
}

} // namespace lathe::llm_server
