#pragma once

#include <string>
#include <string_view>

namespace lathe::llm_clients {

/// Returns `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD: no
/// server takes a body that holds them.
std::string json_string(std::string_view text);

} // namespace lathe::llm_clients
