#include "runtime/topology/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace lathe::runtime {

namespace {

struct unit {
  std::string_view name;
  double factor;
};

constexpr std::array<unit, 5> durations = {
  {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}}};

constexpr std::array<unit, 8> sizes = {{{"B", 1},
                                        {"KB", 1e3},
                                        {"MB", 1e6},
                                        {"GB", 1e9},
                                        {"KiB", 1024.0},
                                        {"MiB", 1024.0 * 1024},
                                        {"GiB", 1024.0 * 1024 * 1024},
                                        {"TiB", 1024.0 * 1024 * 1024 * 1024}}};

constexpr std::string_view digits = "0123456789.";

// Cuts "2m30s" into "2", "m" and the rest "30s". Either part may be empty.
struct quantity {
  std::string_view number;
  std::string_view unit;
  std::string_view rest;
};

quantity cut(std::string_view text) {
  auto number_end = std::min(text.find_first_not_of(digits), text.size());
  auto unit_end = std::min(text.find_first_of(digits, number_end), text.size());
  return {text.substr(0, number_end), text.substr(number_end, unit_end - number_end),
          text.substr(unit_end)};
}

template <std::size_t Size>
std::optional<double> in_units(const quantity& x, const std::array<unit, Size>& units) {
  auto number = parse_number(x.number);
  for (const auto& candidate : units)
    if (number && candidate.name == x.unit)
      return *number * candidate.factor;
  return std::nullopt;
}

} // namespace

std::optional<double> parse_number(std::string_view text) {
  double result = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, result);
  if (error != std::errc{} || stop != end || !std::isfinite(result))
    return std::nullopt;
  return result;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t result = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, result);
  if (error != std::errc{} || stop != end)
    return std::nullopt;
  return result;
}

std::optional<double> parse_duration(std::string_view text) {
  if (auto seconds = parse_number(text))
    return seconds;
  auto total = std::optional<double>{0};
  do {
    auto next = cut(text);
    auto seconds = in_units(next, durations);
    total = seconds ? std::optional{*total + *seconds} : std::nullopt;
    text = next.rest;
  } while (total && !text.empty());
  return total;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  if (auto bytes = parse_integer(text))
    return bytes;
  auto quantity = cut(text);
  auto bytes = quantity.rest.empty() ? in_units(quantity, sizes) : std::nullopt;
  if (!bytes || *bytes > 9e18)
    return std::nullopt;
  return static_cast<std::int64_t>(*bytes);
}

std::optional<double> parse_money(std::string_view text) {
  if (text.starts_with('$'))
    text.remove_prefix(1);
  return parse_number(text);
}

} // namespace lathe::runtime
