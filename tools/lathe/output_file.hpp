#pragma once

#include <caf/error.hpp>

#include <string>

namespace lathe::cli {

/// Writes a file that the user named. Fails with `user_error`.
caf::error write_file(const std::string& file, const std::string& text);

/// Whether that would work, to be told before any time is spent. Nothing and "-" are no files.
caf::error check_writable(const std::string& file);

} // namespace lathe::cli
