#pragma once

#include <string>
#include <string_view>

namespace lathe::llm_clients {

/// U+FFFD, which stands for bytes that are not UTF-8.
inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// What some programs put before a text.
inline constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Returns `text` without the mark that it may begin with.
std::string_view without_byte_order_mark(std::string_view text);

/// Returns the bytes of the first character; empty where `text` does not begin with UTF-8.
std::string_view first_character(std::string_view text);

/// Returns `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD: no
/// server takes a body that holds them.
std::string json_string(std::string_view text);

} // namespace lathe::llm_clients
