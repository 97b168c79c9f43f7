#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::gpu {

/// The memory of this host that this process may use [bytes].
struct host_memory {
  std::uint64_t total = 0;
  std::uint64_t available = 0; ///< without swapping

  /// Less than a quarter is left. False where nothing is known.
  bool is_short() const {
    return available < total / 4;
  }

  /// Whether so much [bytes] can be held for a whole task: it leaves three tenths for processes and
  /// their answers. True where nothing is known.
  bool can_hold(std::uint64_t bytes) const {
    return total == 0 || bytes <= total / 10 * 7;
  }
};

/// Reads the text of /proc/meminfo, which knows nothing of limits; zeros where it does not say.
host_memory parse_host_memory(std::string_view meminfo);

/// Returns the folders whose files limit this process: of its own control group and those around
/// it, innermost first, in the unified hierarchy (v2) and in that of `controller` (v1).
/// @param text /proc/self/cgroup
std::vector<std::filesystem::path> control_groups(std::string_view text,
                                                  const std::string& controller,
                                                  const std::filesystem::path& root);

/// The same of this process, where the kernel shows them.
std::vector<std::filesystem::path> own_control_groups(const std::string& controller);

/// Returns what these control groups leave of a host's memory. What the kernel would give up for
/// them, such as files that could be read again, counts as available.
host_memory within(host_memory machine, std::span<const std::filesystem::path> groups);

/// What this process may use now, by the kernel and by its control groups.
host_memory measure_host_memory();

} // namespace lathe::gpu
