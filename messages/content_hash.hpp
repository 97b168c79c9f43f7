#pragma once

#include <string>
#include <string_view>

namespace lathe {

/// Returns the SHA-256 of `text`, hexadecimal: its name in the journal's blob table.
std::string content_hash(std::string_view text);

} // namespace lathe
