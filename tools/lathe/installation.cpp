#include "tools/lathe/installation.hpp"

#include "messages/content_hash.hpp"
#include "runtime/topology/units.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace lathe::cli {

namespace fs = std::filesystem;

namespace {

// Where no native part was built yet, any Python will do for `lathe doctor` to look at.
constexpr auto usual_python = "/usr/bin/python3";

// Of what compilers made [bytes].
constexpr auto usual_compiled_limit = std::int64_t{4} << 30;

fs::path from_environment(const char* name, const fs::path& otherwise) {
  auto* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? fs::path{value} : otherwise;
}

/// Returns a size [bytes]; less than nothing where it cannot be read.
std::int64_t size_from_environment(const char* name, std::int64_t otherwise) {
  auto* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : runtime::parse_size(value).value_or(-1);
}

/// Returns the first `configs` in the folder of the executable or above it.
fs::path find_configs(fs::path folder) {
  for (; folder.has_relative_path(); folder = folder.parent_path())
    for (auto* place : {"configs", "share/lathe/configs"})
      if (fs::exists(folder / place / "topologies"))
        return folder / place;
  return "configs";
}

/// Returns the root of the sources that the executable lies in, or nothing.
fs::path find_sources(fs::path folder) {
  for (; folder.has_relative_path(); folder = folder.parent_path())
    if (fs::exists(folder / "gpu/processes/native.hpp"))
      return folder;
  return {};
}

/// Points the site to an environment that `lathe setup-env` has made. False where there is none.
bool use_environment(const fs::path& environment, gpu::site_paths& site) {
  std::ifstream file{environment / "python"};
  std::string python;
  if (!std::getline(file, python))
    return false;
  site.python = python;
  site.processes = environment / "processes";
  site.verifier = environment / "lathe-verifier";
  return true;
}

} // namespace

fs::path cache_folder() {
  if (auto* cache = std::getenv("LATHE_CACHE"))
    return cache;
  if (auto* caches = std::getenv("XDG_CACHE_HOME"))
    return fs::path{caches} / "lathe";
  auto* home = std::getenv("HOME");
  return fs::path{home == nullptr ? "/" : home} / ".cache/lathe";
}

std::vector<environment_place> environment_places(const installation& home) {
  auto own = content_hash(home.folder.string()).substr(0, 12);
  return {{home.folder, "environment"}, {cache_folder(), "environment-of-" + own}};
}

installation find_installation() {
  std::error_code ignored;
  installation result;
  result.folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  result.sources = find_sources(result.folder);
  result.configs = from_environment("LATHE_CONFIGS", find_configs(result.folder));
  result.site.processes = result.folder / "processes";
  result.site.python = fs::exists(result.site.processes) ? LATHE_DEFAULT_PYTHON : usual_python;
  result.site.verifier = result.folder / "lathe-verifier";
  result.site.recipes = result.configs / "recipes";
  result.site.cache = cache_folder();
  result.site.compiled_limit = size_from_environment("LATHE_COMPILED_LIMIT", usual_compiled_limit);
  result.site.host_memory = size_from_environment("LATHE_HOST_MEMORY", 0);
  for (auto& place : environment_places(result))
    if (use_environment(place.folder / place.link, result.site))
      break;
  result.site.python = from_environment("LATHE_PYTHON", result.site.python);
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
