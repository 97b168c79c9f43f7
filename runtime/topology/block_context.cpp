#include "runtime/topology/blocks.hpp"

#include <algorithm>

namespace lathe::runtime {

namespace {

namespace fs = std::filesystem;

// "a/", "a/." and "a" become "a"; the current folder becomes ".".
fs::path spelt_once(const fs::path& folder) {
  auto result = (folder / "").lexically_normal();
  if (!result.has_filename() && result.has_relative_path())
    result = result.parent_path();
  return result.empty() ? fs::path{"."} : result;
}

} // namespace

std::optional<fs::path> block_context::find_path(const place& at, const std::string& name) const {
  for (const auto& folder : folders(at)) {
    auto path = (folder / name).lexically_normal();
    std::error_code ignored;
    if (fs::exists(path, ignored))
      return path;
  }
  return std::nullopt;
}

std::optional<fs::path> block_context::find_folder(const place& at, const std::string& name) const {
  auto path = find_path(at, name);
  std::error_code ignored;
  return path && fs::is_directory(*path, ignored) ? path : std::nullopt;
}

std::string block_context::searched(const place& at) const {
  std::vector<std::string> names;
  for (const auto& folder : folders(at))
    names.push_back(folder.string());
  return either(names);
}

std::vector<fs::path> block_context::folders(const place& at) const {
  auto here = at.file == main_file ? main_folder : fs::path{at.file}.parent_path();
  std::vector<fs::path> result{spelt_once(here), spelt_once(here / "..")};
  auto own = spelt_once(options.configs);
  if (!options.configs.empty() && std::find(result.begin(), result.end(), own) == result.end())
    result.push_back(own);
  return result;
}

} // namespace lathe::runtime
