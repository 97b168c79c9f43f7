#include "messages/json_writer.hpp"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

namespace lathe {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

void append_hex(std::string& text, char byte) {
  auto bits = static_cast<unsigned char>(byte);
  text += digits[bits >> 4];
  text += digits[bits & 15];
}

void append_escaped(std::string& text, char c) {
  switch (c) {
    case '"':
      text += "\\\"";
      break;
    case '\\':
      text += "\\\\";
      break;
    case '\n':
      text += "\\n";
      break;
    case '\r':
      text += "\\r";
      break;
    case '\t':
      text += "\\t";
      break;
    default:
      if (static_cast<unsigned char>(c) < 0x20) {
        text += "\\u00";
        append_hex(text, c);
      } else {
        text += c;
      }
  }
}

// The longest are "-2.2250738585072014e-308" and the 20 characters of a 64-bit integer.
constexpr std::size_t longest_number = 32;

template <class T>
void append_number(std::string& text, T x) {
  std::array<char, longest_number> buffer;
  auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), x).ptr;
  text.append(buffer.data(), end);
}

} // namespace

std::string json_writer::take() {
  first_ = true;
  return std::exchange(text_, {});
}

bool json_writer::begin_field(caf::string_view name) {
  value(name);
  text_ += ':';
  first_ = true;
  return true;
}

bool json_writer::begin_field(caf::string_view name, bool is_present) {
  begin_field(name);
  if (!is_present) {
    separate();
    text_ += "null";
  }
  return true;
}

bool json_writer::value(bool x) {
  separate();
  text_ += x ? "true" : "false";
  return true;
}

template <class T>
bool json_writer::integer(T x) {
  separate();
  append_number(text_, x);
  return true;
}

template bool json_writer::integer(signed char);
template bool json_writer::integer(unsigned char);
template bool json_writer::integer(short);
template bool json_writer::integer(unsigned short);
template bool json_writer::integer(int);
template bool json_writer::integer(unsigned);
template bool json_writer::integer(long);
template bool json_writer::integer(unsigned long);
template bool json_writer::integer(long long);
template bool json_writer::integer(unsigned long long);

bool json_writer::value(double x) {
  if (!std::isfinite(x))
    return value(caf::string_view{std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf"});
  separate();
  auto begin = text_.size();
  append_number(text_, x); // the shortest text that reads back as the same number
  // Else "-0" would read back as an integer, without its sign.
  if (text_.find_first_of(".e", begin) == std::string::npos)
    text_ += ".0";
  return true;
}

bool json_writer::value(caf::string_view x) {
  separate();
  if (!simdjson::validate_utf8(x.data(), x.size())) {
    text_ += R"({"@bytes":")";
    for (auto byte : x)
      append_hex(text_, byte);
    text_ += "\"}";
    return true;
  }
  text_ += '"';
  for (auto c : x)
    append_escaped(text_, c);
  text_ += '"';
  return true;
}

bool json_writer::open(char bracket) {
  separate();
  text_ += bracket;
  first_ = true;
  return true;
}

bool json_writer::close(char bracket) {
  text_ += bracket;
  first_ = false;
  return true;
}

void json_writer::separate() {
  if (!std::exchange(first_, false))
    text_ += ',';
}

} // namespace lathe
