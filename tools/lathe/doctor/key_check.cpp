#include "tools/lathe/doctor/key_check.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

namespace lathe::doctor {

namespace {

// The usual names; a topology may use any other.
constexpr const char* usual_keys[] = {"GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"};

} // namespace

finding check_keys(const std::function<bool(const std::string&)>& is_set) {
  std::vector<std::string> parts;
  bool any = false;
  for (auto* name : usual_keys) {
    auto set = is_set(name);
    parts.push_back(fmt::format("{} {}", name, set ? "set" : "not set"));
    any = any || set;
  }
  auto found = fmt::format("{}", fmt::join(parts, ", "));
  if (!any)
    return not_needed(
      "api keys", found,
      "export the one that your topology names; recipes and --llm scripted need none");
  return ok("api keys", found);
}

finding check_keys() {
  return check_keys([](const std::string& name) {
    auto* value = std::getenv(name.c_str());
    return value != nullptr && *value != '\0';
  });
}

} // namespace lathe::doctor
