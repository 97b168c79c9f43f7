#pragma once

#include <caf/expected.hpp>

#include <filesystem>
#include <string_view>

namespace lathe::runtime {

/// Writes `text` to `file` so that a reader, a crash or a power cut finds the old text or the new
/// one, never a part. One writer a file at a time.
caf::expected<void> write_atomically(const std::filesystem::path& file, std::string_view text);

} // namespace lathe::runtime
