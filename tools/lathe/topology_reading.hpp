#pragma once

#include "runtime/topology/topology_file.hpp"
#include "tools/lathe/installation.hpp"

#include <map>
#include <optional>
#include <string>

namespace lathe::cli {

/// Reads a topology file and prints its mistakes to standard error; nothing when there are any.
/// @param evaluator keys of that block that count more than the file
std::optional<runtime::reading>
read_topology_or_explain(const std::filesystem::path& file, const installation& home,
                         const std::string& llm_override,
                         const std::map<std::string, std::string>& evaluator = {});

} // namespace lathe::cli
