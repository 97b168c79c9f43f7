#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace lathe::llm_server {

/// Reads all of `text` as one number.
template <class T>
std::optional<T> number(std::string_view text) {
  T result{};
  auto end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, result);
  if (code != std::errc{} || stop != end)
    return std::nullopt;
  return result;
}

} // namespace lathe::llm_server
