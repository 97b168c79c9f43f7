#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <sys/types.h>

namespace lathe::gpu {

/// One line of /proc/PID/stat, as far as it matters here.
struct process_stat {
  char state = '?'; ///< 'Z': a zombie
  pid_t group = 0;
  double cpu_seconds = 0; ///< its own and that of children it has waited for
};

/// Reads a line of /proc/PID/stat; the process may have any name. Nothing found gives group 0.
process_stat parse_stat(std::string_view line);

/// Returns the group of a live process, 0 where only others may know it; nothing for one that is
/// gone, or only waits to be reaped.
std::optional<pid_t> live_group(pid_t pid);

/// Returns the CPU time [seconds] of all processes of a group.
double group_cpu_seconds(pid_t group);

/// Binds every thread of a group's processes to these processors, and with them the threads that
/// they will make. Processes that are gone, or that refuse, are passed over.
void pin_group(pid_t group, std::span<const int> cpus);

} // namespace lathe::gpu
