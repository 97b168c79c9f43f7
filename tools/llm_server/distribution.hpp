#pragma once

#include "tools/llm_server/parsed.hpp"
#include "tools/llm_server/random_source.hpp"

#include <chrono>
#include <string_view>

namespace lathe::llm_server {

/// Reads "50ms", "2s", "1.5s", "100us", "3m" or "0".
parsed<std::chrono::microseconds> parse_duration(std::string_view text);

/// How long something takes, each time anew. No time is longer than a day.
class distribution {
public:
  /// Always 0.
  distribution() = default;

  /// Reads a duration, "uniform:LEAST:MOST", "exponential:MEAN" or "lognormal:MEDIAN:SIGMA", where
  /// SIGMA is the standard deviation of the logarithm.
  static parsed<distribution> parse(std::string_view text);

  std::chrono::microseconds sample(random_source& random) const;

private:
  enum class shape { constant, uniform, exponential, lognormal };

  distribution(shape kind, double first, double second)
    : shape_(kind), first_(first), second_(second) {
    // nop
  }

  shape shape_ = shape::constant;
  double first_ = 0;  // [microseconds]
  double second_ = 0; // [microseconds], or the lognormal's sigma
};

} // namespace lathe::llm_server
