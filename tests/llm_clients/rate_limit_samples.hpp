#pragma once

#include "llm_clients/rate_limit.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace lathe::llm_clients::test {

using time_point = rate_limit::time_point;
using duration = time_point::duration;
using headers = std::map<std::string, std::string>;

constexpr auto begin = time_point{} + std::chrono::hours{1};

// So many calls at once that nothing but the minute holds any up.
constexpr std::int32_t many = 1'000'000;

inline model_limits requests(std::int64_t a_minute, std::int32_t in_flight = many) {
  return {a_minute, 0, 0, 0, in_flight};
}

inline bool may_start(const rate_limit& x, time_point now, call_tokens call = {}) {
  return x.next_time(now, call) == now;
}

inline headers openai(std::string limit, std::string remaining, std::string reset) {
  return {{"x-ratelimit-limit-requests", std::move(limit)},
          {"x-ratelimit-remaining-requests", std::move(remaining)},
          {"x-ratelimit-reset-requests", std::move(reset)}};
}

inline headers anthropic(const std::string& what, std::string limit, std::string remaining,
                         std::string reset, std::string date = "Sat, 25 Oct 2025 12:00:00 GMT") {
  return {{"anthropic-ratelimit-" + what + "-limit", std::move(limit)},
          {"anthropic-ratelimit-" + what + "-remaining", std::move(remaining)},
          {"anthropic-ratelimit-" + what + "-reset", std::move(reset)},
          {"date", std::move(date)}};
}

} // namespace lathe::llm_clients::test
