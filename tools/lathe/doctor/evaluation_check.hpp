#pragma once

#include "tools/lathe/doctor/finding.hpp"
#include "tools/lathe/doctor/python_check.hpp"
#include "tools/lathe/doctor/sandbox_check.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace lathe::doctor {

/// Returns which of the files that evaluation processes need are not in their folder.
std::vector<std::string> missing_process_files(const std::filesystem::path& folder,
                                               const std::string& extension_suffix);

/// Starts the warm process and one worker. Returns what to say of the evaluation processes and of
/// the sandbox.
std::vector<finding> check_evaluation(const python_probe& python,
                                      const std::filesystem::path& processes,
                                      std::chrono::milliseconds limit);

/// Starts the verifier, which ends at once because nobody holds the other end of its socket.
finding check_verifier(const std::filesystem::path& verifier, std::chrono::milliseconds limit);

} // namespace lathe::doctor
