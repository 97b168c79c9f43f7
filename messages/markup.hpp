#pragma once

#include <string>
#include <string_view>

namespace lathe {

/// Makes a text fit for HTML and SVG, between tags and in attributes.
inline std::string escaped(std::string_view text) {
  std::string result;
  for (auto c : text)
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  return result;
}

} // namespace lathe
