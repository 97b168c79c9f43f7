#pragma once

#include <caf/expected.hpp>

#include <filesystem>
#include <string>

namespace lathe::runtime {

/// Reads an API key from a file that is this user's alone, without the white space at its end.
/// Fails with `user_error` for any other file, and for one that holds no key.
caf::expected<std::string> read_key_file(const std::filesystem::path& file);

} // namespace lathe::runtime
