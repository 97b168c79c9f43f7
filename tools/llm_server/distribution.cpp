#include "tools/llm_server/distribution.hpp"

#include "tools/llm_server/numbers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace lathe::llm_server {

using std::chrono::microseconds;

namespace {

constexpr double longest = 86'400e6; // [microseconds]
constexpr double widest_sigma = 10;

mistake no_duration(std::string_view text) {
  return {fmt::format("'{}' is no time from 0 to a day such as 50ms, 1.5s, 100us or 2m", text)};
}

mistake no_distribution(std::string_view text) {
  return {fmt::format("'{}' is no time and none of uniform:LEAST:MOST, exponential:MEAN and "
                      "lognormal:MEDIAN:SIGMA",
                      text)};
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> result;
  for (;;) {
    auto end = text.find(separator);
    result.push_back(text.substr(0, end));
    if (end == std::string_view::npos)
      return result;
    text.remove_prefix(end + 1);
  }
}

std::optional<double> microseconds_in(std::string_view unit) {
  if (unit == "us")
    return 1;
  if (unit == "ms")
    return 1e3;
  if (unit == "s")
    return 1e6;
  if (unit == "m")
    return 60e6;
  return std::nullopt;
}

} // namespace

parsed<microseconds> parse_duration(std::string_view text) {
  if (text == "0")
    return microseconds{0};
  auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  auto count = number<double>(text.substr(0, digits));
  auto unit = microseconds_in(text.substr(digits));
  if (!count || !unit || *count * *unit > longest)
    return no_duration(text);
  return microseconds{std::llround(*count * *unit)};
}

parsed<distribution> distribution::parse(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() == 1 && !text.empty() && text[0] >= 'a' && text[0] <= 'z')
    return no_distribution(text);
  std::vector<double> times;
  auto is_lognormal = parts[0] == "lognormal";
  for (auto i = parts.size() == 1 ? 0u : 1u; i < parts.size() && !(is_lognormal && i == 2); ++i) {
    auto time = parse_duration(parts[i]);
    if (!time)
      return time.error();
    times.push_back(static_cast<double>(time->count()));
  }
  if (parts.size() == 1)
    return distribution{shape::constant, times[0], 0};
  if (parts[0] == "exponential" && parts.size() == 2)
    return distribution{shape::exponential, times[0], 0};
  if (parts.size() != 3)
    return no_distribution(text);
  if (parts[0] == "uniform" && times[0] <= times[1])
    return distribution{shape::uniform, times[0], times[1]};
  auto sigma = number<double>(parts[2]);
  if (is_lognormal && sigma && *sigma >= 0 && *sigma <= widest_sigma)
    return distribution{shape::lognormal, times[0], *sigma};
  return no_distribution(text);
}

microseconds distribution::sample(random_source& random) const {
  auto result = first_;
  switch (shape_) {
    case shape::constant:
      break;
    case shape::uniform:
      result += (second_ - first_) * random.fraction();
      break;
    case shape::exponential:
      result *= -std::log1p(-random.fraction());
      break;
    case shape::lognormal:
      result *= std::exp(second_ * std::normal_distribution<double>{}(random));
      break;
  }
  return microseconds{std::llround(std::min(result, longest))};
}

} // namespace lathe::llm_server
