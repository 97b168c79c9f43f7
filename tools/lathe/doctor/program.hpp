#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lathe::doctor {

/// How a run of another program went.
struct program_run {
  enum class ending { exited, not_started, too_slow };

  ending end = ending::not_started;
  int status = 0;     ///< exit status, or 128 and the signal's number
  std::string output; ///< of both streams, the first 64 KiB; or why it did not start
  double seconds = 0;

  bool ok() const {
    return end == ending::exited && status == 0;
  }
};

/// Runs a program, named by its path, with nothing to read. One that takes longer than `limit` is
/// killed, with the children that it has not moved elsewhere.
program_run run_program(std::vector<std::string> arguments, std::chrono::milliseconds limit);

/// Says in half a sentence why a run was not `ok`.
std::string describe_failure(const program_run& x);

/// Returns the first executable of this name.
std::optional<std::filesystem::path> find_program(const std::string& name,
                                                  std::span<const std::filesystem::path> folders);

/// Splits a list of folders as in PATH.
std::vector<std::filesystem::path> split_path(std::string_view path);

/// The folders of the user's own PATH.
std::vector<std::filesystem::path> user_path();

/// Where evaluation processes look for programs, whatever the user's PATH says.
std::vector<std::filesystem::path> evaluation_path(const std::filesystem::path& python);

} // namespace lathe::doctor
