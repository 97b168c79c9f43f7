#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::doctor {

/// Returns what a file of /proc or /sys says, without white space at its end; empty when it cannot
/// be read.
std::string read_text(const std::filesystem::path& file);

/// Returns the number that a text begins with.
std::optional<std::int64_t> number_in(std::string_view text);

std::vector<std::string> lines_of(std::string_view text);

/// Returns the last line that says something, fit for a terminal: other bytes than printable ASCII
/// become question marks.
std::string last_line(std::string_view text);

/// Returns the first thing that looks like a version ("12.2.0"), or an empty text.
std::string version_in(std::string_view text);

/// Returns the part of a version before its first dot, 0 when it has none.
int major_of(std::string_view version);

/// Writes a size with its unit: "843 MiB", "4.2 GiB", "57 GiB".
std::string format_bytes(std::uint64_t bytes);

} // namespace lathe::doctor
