#pragma once

#include <caf/error.hpp>

#include <string>

namespace lathe::cli {

/// Prints a sentence to standard error and returns `code`.
int fail(int code, const std::string& sentence);

/// Prints an error's sentence and returns the exit code that it stands for.
int fail(const caf::error& error);

} // namespace lathe::cli
