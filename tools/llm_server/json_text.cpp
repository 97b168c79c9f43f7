#include "tools/llm_server/json_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace lathe::llm_server {

std::string json_escaped(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (auto c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(result), "\\u{:04x}", c);
    } else {
      result += c;
    }
  }
  return result;
}

} // namespace lathe::llm_server
