#include "gpu/processes/call_guidance.hpp"

#include <algorithm>

namespace lathe::gpu {

namespace {

constexpr std::string_view before_key = R"({"key":")";
constexpr std::string_view before_output = R"(","output":")";
constexpr std::string_view end = R"("})";

} // namespace

std::string_view name_of(output_use x) {
  return x == output_use::kept ? "kept" : x == output_use::copied ? "copied" : "drawn";
}

std::optional<call_guidance> parse_guidance(std::string_view message) {
  if (!message.starts_with(before_key) || !message.ends_with(end))
    return std::nullopt;
  message.remove_prefix(before_key.size());
  message.remove_suffix(end.size());
  call_guidance result;
  if (!message.starts_with(before_output)) {
    result.key = input_key::from_text(message.substr(0, input_key::digits));
    message.remove_prefix(std::min(message.size(), input_key::digits));
  }
  if (!message.starts_with(before_output))
    return std::nullopt;
  message.remove_prefix(before_output.size());
  for (auto use : {output_use::drawn, output_use::copied, output_use::kept})
    if (message == name_of(use)) {
      result.output = use;
      return result;
    }
  return std::nullopt;
}

} // namespace lathe::gpu
