#pragma once

#include <filesystem>

namespace lathe::cli {

/// Sends the log to a file of the run: it would tear the table on the terminal.
void log_to(const std::filesystem::path& file);

} // namespace lathe::cli
