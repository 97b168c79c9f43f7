#pragma once

#include "runtime/topology/topology_file.hpp"
#include "tools/lathe/installation.hpp"

#include <optional>
#include <string>

namespace lathe::cli {

/// Reads a topology file and prints its mistakes to standard error; nothing when there are any.
std::optional<runtime::reading> read_topology_or_explain(const std::filesystem::path& file,
                                                         const installation& home,
                                                         const std::string& llm_override);

} // namespace lathe::cli
