#pragma once

#include <caf/error.hpp>

#include <string>

namespace lathe::cli {

/// Prints a sentence to standard error and returns `code`.
int fail(int code, const std::string& sentence);

/// Returns the exit code that an error stands for.
int exit_code_of(const caf::error& error);

/// Prints an error's sentence and returns the exit code that it stands for.
int fail(const caf::error& error);

} // namespace lathe::cli
