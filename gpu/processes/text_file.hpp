#pragma once

#include <filesystem>
#include <string>

namespace lathe::gpu {

/// Returns all that a file holds; nothing where it cannot be read.
std::string read_text(const std::filesystem::path& file);

} // namespace lathe::gpu
