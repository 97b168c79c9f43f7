#pragma once

#include <string>
#include <string_view>

namespace lathe::llm_server {

/// `text`, which is UTF-8, as it stands between the quotes of a JSON string.
std::string json_escaped(std::string_view text);

} // namespace lathe::llm_server
