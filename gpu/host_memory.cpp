#include "gpu/host_memory.hpp"

#include "gpu/processes/text_file.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace fs = std::filesystem;

namespace lathe::gpu {

namespace {

// How the two versions of control groups call the same.
struct group_files {
  const char* limits[2]; // the second may be missing
  const char* used;
  const char* reclaimable[3]; // keys of memory.stat
};

constexpr group_files versions[] = {
  {{"memory.max", "memory.high"},
   "memory.current",
   {"inactive_file", "active_file", "slab_reclaimable"}},
  {{"memory.limit_in_bytes", nullptr},
   "memory.usage_in_bytes",
   {"total_inactive_file", "total_active_file", "total_slab_reclaimable"}},
};

// Nothing for what is no number, such as "max".
std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t result = 0;
  auto found = std::from_chars(text.data(), text.data() + text.size(), result);
  return found.ec == std::errc{} ? std::optional{result} : std::nullopt;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find('\n', begin), text.size());
    result.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

// Lines read "MemTotal:       24605084 kB" or "inactive_file 8192".
std::uint64_t value_of(std::string_view text, std::string_view key) {
  for (auto line : lines_of(text)) {
    if (!line.starts_with(key))
      continue;
    line.remove_prefix(key.size());
    if (!line.starts_with(':') && !line.starts_with(' '))
      continue;
    line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
    return number_in(line).value_or(0);
  }
  return 0;
}

} // namespace

host_memory parse_host_memory(std::string_view meminfo) {
  return {value_of(meminfo, "MemTotal") * 1024, value_of(meminfo, "MemAvailable") * 1024};
}

std::vector<fs::path> control_groups(std::string_view text, const std::string& controller,
                                     const fs::path& root) {
  std::vector<fs::path> result;
  for (auto view : lines_of(text)) { // hierarchy:controllers:/path
    const std::string line{view};
    auto first = line.find(':');
    auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    auto controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty()
        && ("," + controllers + ",").find("," + controller + ",") == std::string::npos)
      continue;
    auto top = controllers.empty() ? root : root / controllers;
    for (auto path = fs::path{line.substr(second + 1)}; path.has_relative_path();
         path = path.parent_path())
      result.push_back(top / path.relative_path());
    result.push_back(top);
  }
  return result;
}

std::vector<fs::path> own_control_groups(const std::string& controller) {
  return control_groups(read_text("/proc/self/cgroup"), controller, "/sys/fs/cgroup");
}

host_memory within(host_memory machine, std::span<const fs::path> groups) {
  auto result = machine;
  for (auto& group : groups)
    for (auto& version : versions) {
      auto limit = machine.total; // v1 writes a huge number where there is no limit
      for (auto* file : version.limits)
        if (file != nullptr)
          limit = std::min(limit, number_in(read_text(group / file)).value_or(limit));
      if (limit == machine.total)
        continue;
      auto used = number_in(read_text(group / version.used)).value_or(0);
      auto stat = read_text(group / "memory.stat");
      for (auto* key : version.reclaimable)
        used -= std::min(used, value_of(stat, key));
      result.total = std::min(result.total, limit);
      result.available = std::min(result.available, limit - std::min(limit, used));
    }
  return result;
}

host_memory measure_host_memory() {
  return within(parse_host_memory(read_text("/proc/meminfo")), own_control_groups("memory"));
}

} // namespace lathe::gpu
