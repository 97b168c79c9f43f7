#pragma once

#include "tools/lathe/doctor/finding.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <iosfwd>

namespace lathe::doctor {

/// Where the parts of this installation should be.
struct doctor_options {
  std::filesystem::path python;    ///< the interpreter whose torch candidates run with
  std::filesystem::path processes; ///< zygote.py, worker.py and the native module
  std::filesystem::path verifier;  ///< the verifier's executable
  std::filesystem::path cache;     ///< for downloads and builds
  std::chrono::milliseconds patience = std::chrono::seconds{60}; ///< with one program
};

/// Looks at this machine, and hands over each finding as soon as it is there.
void examine(const doctor_options& options, const std::function<void(finding)>& report);

/// How to write what was found.
enum class report_format { text, coloured_text, json };

/// Writes the whole examination. Returns the exit code: 0, or 3 when something needed is missing.
int run_doctor(const doctor_options& options, report_format format, std::ostream& out);

} // namespace lathe::doctor
