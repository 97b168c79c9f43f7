#include "tools/lathe/installation.hpp"

#include <algorithm>
#include <cstdlib>

namespace lathe::cli {

namespace fs = std::filesystem;

namespace {

fs::path from_environment(const char* name, const fs::path& otherwise) {
  auto* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? fs::path{value} : otherwise;
}

/// Returns the first `configs` in the folder of the executable or above it.
fs::path find_configs(fs::path folder) {
  for (; folder.has_relative_path(); folder = folder.parent_path())
    for (auto* place : {"configs", "share/lathe/configs"})
      if (fs::exists(folder / place / "topologies"))
        return folder / place;
  return "configs";
}

} // namespace

installation find_installation() {
  std::error_code ignored;
  auto folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  installation result;
  result.configs = from_environment("LATHE_CONFIGS", find_configs(folder));
  result.site.python = from_environment("LATHE_PYTHON", LATHE_DEFAULT_PYTHON);
  result.site.processes = folder / "processes";
  result.site.verifier = folder / "lathe-verifier";
  result.site.recipes = result.configs / "recipes";
  return result;
}

std::vector<std::string> recipe_passes(const installation& home) {
  std::vector<std::string> result;
  std::error_code ignored;
  for (auto& entry : fs::directory_iterator{home.site.recipes, ignored})
    if (entry.path().extension() == ".py")
      result.push_back(entry.path().stem().string());
  std::sort(result.begin(), result.end());
  return result;
}

} // namespace lathe::cli
