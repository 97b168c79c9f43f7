#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe::runtime {

/// Reads a number: digits, one decimal point, an exponent, nothing around them. Never infinite.
std::optional<double> parse_number(std::string_view text);

/// Reads a whole number.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// Reads a duration in seconds: `90`, `1.5`, `250ms`, `90s`, `2m30s`, `12h`, `1d`.
std::optional<double> parse_duration(std::string_view text);

/// Reads a size in bytes: `4096`, `64KiB`, `1.5GiB`, `8GB`.
std::optional<std::int64_t> parse_size(std::string_view text);

/// Reads an amount of money in USD: `25`, `1.25`, `$25`.
std::optional<double> parse_money(std::string_view text);

} // namespace lathe::runtime
