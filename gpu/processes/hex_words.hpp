#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

/// Secrets of 64 bits, and how they travel as text.
namespace lathe::gpu {

inline constexpr std::size_t word_digits = 16;

/// A word that nobody knows.
inline std::uint64_t secret_word() {
  static thread_local std::random_device entropy;
  return std::uint64_t{entropy()} << 32 | entropy();
}

/// Returns its hexadecimal digits, `word_digits` of them.
inline std::string to_digits(std::uint64_t x) {
  std::string result(word_digits, '0');
  for (std::size_t i = 0; i < word_digits; ++i)
    result[i] = "0123456789abcdef"[(x >> (60 - 4 * i)) & 15];
  return result;
}

/// Reads as many digits. Anything else than hexadecimal digits counts as zeros.
inline std::uint64_t from_digits(std::string_view text) {
  std::uint64_t result = 0;
  for (char c : text.substr(0, word_digits)) {
    auto value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
    result = result << 4 | static_cast<std::uint64_t>(value);
  }
  return result;
}

} // namespace lathe::gpu
