#pragma once

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::llm_clients {

// What is not there, or is something else, reads as nothing: what servers send is theirs. `object`
// is a dom::element, or the result of looking for one.

/// Returns the text at `key`; empty where there is none.
template <class Object>
std::string text_at(const Object& object, std::string_view key) {
  std::string_view result;
  return object[key].get(result) == simdjson::SUCCESS ? std::string{result} : std::string{};
}

/// The largest count and the largest cost [USD] that is read, so that sums of a few have room.
inline constexpr std::int64_t largest_number = 1'000'000'000'000'000;

/// Returns the whole number at `key`, written as 900 or as 900.0, and `largest_number` at most;
/// nothing where there is none, or one below 0.
template <class Object>
std::optional<std::int64_t> whole_number_at(const Object& object, std::string_view key) {
  double number = 0;
  if (object[key].get(number) != simdjson::SUCCESS || number < 0 || number != std::floor(number))
    return std::nullopt;
  return static_cast<std::int64_t>(std::min(number, static_cast<double>(largest_number)));
}

/// Returns the same; 0 where there is none.
template <class Object>
std::int64_t count_at(const Object& object, std::string_view key) {
  return whole_number_at(object, key).value_or(0);
}

/// Calls `f` for each element of the list at `key`.
template <class Object, class F>
void each_at(const Object& object, std::string_view key, F f) {
  simdjson::dom::array list;
  if (object[key].get(list) == simdjson::SUCCESS)
    for (auto x : list)
      f(x);
}

/// Reads what Lathe wrote itself: remembers the first field that is missing or of another type, so
/// that the caller checks once.
struct field_reader {
  simdjson::dom::element object;
  std::string missing;

  template <class T>
  T get(const char* key) {
    T result{};
    if (object[key].get(result) != simdjson::SUCCESS && missing.empty())
      missing = key;
    return result;
  }

  /// A count or an amount, from 0 to `largest_number`: nothing that was spent comes back.
  template <class T>
  T number(const char* key) {
    auto result = get<T>(key);
    auto valid = result >= 0 && result <= static_cast<T>(largest_number);
    if (!valid && missing.empty())
      missing = key;
    return result;
  }

  std::string text(const char* key) {
    return std::string{get<std::string_view>(key)};
  }
};

} // namespace lathe::llm_clients
