#pragma once

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
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

/// Returns the whole number at `key`, from 0 to 10^15, so that sums of a few have room; 0 where
/// there is none.
template <class Object>
std::int64_t count_at(const Object& object, std::string_view key) {
  constexpr std::int64_t most = 1'000'000'000'000'000;
  std::int64_t result = 0;
  return object[key].get(result) == simdjson::SUCCESS ? std::clamp<std::int64_t>(result, 0, most)
                                                      : 0;
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

  std::string text(const char* key) {
    return std::string{get<std::string_view>(key)};
  }
};

} // namespace lathe::llm_clients
