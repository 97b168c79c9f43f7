#pragma once

#include "messages/topology.hpp"
#include "runtime/journal/run_directory.hpp"
#include "runtime/session_result.hpp"

#include <filesystem>
#include <string>
#include <vector>

// A run whose sessions wait for nothing but mailboxes ends, and goes on when the answers are there.

namespace lathe::runtime {

/// Returns where the questions to a mailbox model are.
std::filesystem::path mailbox_folder(const model_config& model, const run_paths& run);

/// Says what suspended sessions wait for, and how to go on; empty when none is suspended.
std::string describe_suspension(const std::vector<session_result>& results, const topology& plan,
                                const run_paths& run);

} // namespace lathe::runtime
