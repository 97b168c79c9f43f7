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
  std::filesystem::path sources; ///< of the native part; empty where they are not
  std::filesystem::path folder;  ///< of the executable
  gpu::site_paths site;
};

/// Finds the installation: what `lathe setup-env` made last, else what was built beside the
/// executable. LATHE_PYTHON names another interpreter, LATHE_CONFIGS another folder.
installation find_installation();

/// Where environments for this installation go: a folder, and the name there of the link to the one
/// in use.
struct environment_place {
  std::filesystem::path folder;
  std::string link;
};

/// Returns the places to look for an environment, the preferred one first: beside the executable,
/// and the user's own, for an installation that belongs to somebody else.
std::vector<environment_place> environment_places(const installation& home);

/// Returns Lathe's folder for what can be made again. The same as tools/setup uses: $LATHE_CACHE,
/// else `lathe` in $XDG_CACHE_HOME, else ~/.cache/lathe.
std::filesystem::path cache_folder();

/// Returns the names of the recipe passes in an installation.
std::vector<std::string> recipe_passes(const installation& home);

} // namespace lathe::cli
