#include "tools/lathe/doctor/capacity_check.hpp"

#include "gpu/host_memory.hpp"
#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include <sched.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace lathe::doctor {

namespace {

constexpr double enough_cores = 2;                  // one for what is timed, one for the rest
constexpr std::uint64_t enough_memory = 4ull << 30; // [bytes]: reference, candidate, verifier
constexpr std::uint64_t enough_disk = 5ull << 30;   // [bytes]

std::optional<double> lowest_cpu_limit() {
  std::optional<double> result;
  for (auto& group : gpu::own_control_groups("cpu"))
    if (auto limit = parse_cpu_limit(read_text(group / "cpu.max")); limit)
      result = std::min(*limit, result.value_or(*limit));
  return result;
}

long allowed_cores(long otherwise) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : otherwise;
}

} // namespace

// -- cores and memory -----------------------------------------------------------------------

std::optional<double> parse_cpu_limit(std::string_view text) {
  std::istringstream fields{std::string{text}};
  double quota = 0;
  double period = 0;
  if (!(fields >> quota >> period) || period <= 0) // "max 100000"
    return std::nullopt;
  return quota / period;
}

capacity measure_capacity() {
  capacity result;
  result.cores = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  result.allowed = allowed_cores(result.cores);
  result.memory = gpu::parse_host_memory(read_text("/proc/meminfo")).total;
  auto usable = gpu::measure_host_memory();
  result.free_memory = usable.available;
  if (usable.total < result.memory)
    result.memory_limit = usable.total;
  result.cpu_limit = lowest_cpu_limit();
  return result;
}

finding judge_cores(const capacity& x) {
  auto usable = static_cast<double>(x.allowed);
  auto found = fmt::format("{} core{}", x.cores, x.cores == 1 ? "" : "s");
  if (x.allowed < x.cores)
    found += fmt::format(", {} of them for this process", x.allowed);
  if (x.cpu_limit && *x.cpu_limit < usable) {
    usable = *x.cpu_limit;
    found += fmt::format(", limited to {:.1f} by its control group", usable);
    return warning("cores", found,
                   "a limit on CPU time stops processes while they are timed: give whole cores "
                   "instead (cpuset)");
  }
  if (usable < enough_cores)
    return warning("cores", found,
                   "give it two: what is timed shares its core with everything else");
  return ok("cores", found);
}

finding judge_memory(const capacity& x) {
  auto found = fmt::format("{}, {} free", format_bytes(x.memory), format_bytes(x.free_memory));
  if (x.memory_limit)
    found += fmt::format(", limited to {} by its control group", format_bytes(*x.memory_limit));
  if (std::min(x.free_memory, x.memory_limit.value_or(x.free_memory)) < enough_memory)
    return warning(
      "memory", found,
      fmt::format("free some: a task and its candidates want {}", format_bytes(enough_memory)));
  return ok("memory", found);
}

// -- disk -----------------------------------------------------------------------------------

disk_space measure_disk(std::string purpose, const fs::path& folder) {
  std::error_code ignored;
  auto place = fs::absolute(folder, ignored);
  while (place.has_relative_path() && !fs::exists(place, ignored))
    place = place.parent_path();
  disk_space result{std::move(purpose), place};
  result.writable = ::access(place.c_str(), W_OK) == 0;
  struct statvfs info {};
  if (::statvfs(place.c_str(), &info) == 0)
    result.free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  return result;
}

finding judge_disk(std::span<const disk_space> disks) {
  std::vector<std::string> parts;
  std::string remedy;
  for (auto& x : disks) {
    parts.push_back(fmt::format("{} free for {} ({}{})", format_bytes(x.free), x.purpose,
                                x.folder.string(), x.writable ? "" : ", read-only"));
    if (!x.writable)
      remedy = fmt::format("make {} writable, or work elsewhere", x.folder.string());
    else if (x.free < enough_disk && remedy.empty())
      remedy = fmt::format("free some space in {}: {} are comfortable", x.folder.string(),
                           format_bytes(enough_disk));
  }
  auto found = fmt::format("{}", fmt::join(parts, ", "));
  return remedy.empty() ? ok("disk", found) : warning("disk", found, remedy);
}

} // namespace lathe::doctor
