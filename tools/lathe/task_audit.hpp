#pragma once

#include "messages/topology.hpp"

#include <string>

namespace lathe::cli {

/// Prints which answers that compute nothing would pass for a task, and returns the exit code: 1
/// when one would.
int audit_task(const std::string& file, const evaluator_config& config, bool json);

} // namespace lathe::cli
