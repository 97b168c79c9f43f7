#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::doctor {

enum class condition : std::uint8_t {
  ok,
  warning,    ///< Lathe works, but slower, less safely or with times that mean less
  missing,    ///< Lathe does not work without it
  not_needed, ///< absent, and nothing on this machine would use it
};

/// What one check has to say.
struct finding {
  std::string name; ///< of what was looked at; does not change between versions
  condition state = condition::ok;
  std::string found;  ///< one line
  std::string remedy; ///< one line; empty where there is nothing to mend
};

inline finding ok(std::string name, std::string found) {
  return {std::move(name), condition::ok, std::move(found), {}};
}

inline finding warning(std::string name, std::string found, std::string remedy) {
  return {std::move(name), condition::warning, std::move(found), std::move(remedy)};
}

inline finding missing(std::string name, std::string found, std::string remedy) {
  return {std::move(name), condition::missing, std::move(found), std::move(remedy)};
}

inline finding not_needed(std::string name, std::string found, std::string remedy = {}) {
  return {std::move(name), condition::not_needed, std::move(found), std::move(remedy)};
}

/// Returns "ok", "warning", "missing" or "not needed".
std::string_view to_string(condition x);

} // namespace lathe::doctor
