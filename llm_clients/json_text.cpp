#include "llm_clients/json_text.hpp"

#include <simdjson.h>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace lathe::llm_clients {

namespace {

std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80)
    return 1;
  if (lead >= 0xC2 && lead < 0xE0)
    return 2;
  if (lead >= 0xE0 && lead < 0xF0)
    return 3;
  return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

std::string repaired(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    auto next = first_character(text.substr(at));
    result += next.empty() ? replacement_character : next;
    at += std::max<std::size_t>(next.size(), 1);
  }
  return result;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) < 0x20)
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
  else
    out += c;
}

} // namespace

std::string_view without_byte_order_mark(std::string_view text) {
  return text.starts_with(byte_order_mark) ? text.substr(byte_order_mark.size()) : text;
}

std::string_view first_character(std::string_view text) {
  auto length = text.empty() ? 0 : sequence_length(static_cast<unsigned char>(text[0]));
  auto valid = length > 0 && length <= text.size() && simdjson::validate_utf8(text.data(), length);
  return text.substr(0, valid ? length : 0);
}

std::string json_string(std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size()))
    return json_string(repaired(text));
  std::string result = "\"";
  result.reserve(text.size() + text.size() / 16 + 2);
  for (auto c : text)
    append_escaped(result, c);
  result += '"';
  return result;
}

} // namespace lathe::llm_clients
