#pragma once

#include "gpu/evaluation_site.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace lathe::cli {

/// Where Lathe's own files are: found from the place of the executable, so that a build folder, an
/// installed copy and an unpacked bundle all work.
struct installation {
  std::filesystem::path configs; ///< topologies, prompts, tasks, recipes
  gpu::site_paths site;
};

/// Finds the installation. LATHE_PYTHON names another interpreter, LATHE_CONFIGS another folder.
installation find_installation();

/// Returns the names of the recipe passes in an installation.
std::vector<std::string> recipe_passes(const installation& home);

} // namespace lathe::cli
