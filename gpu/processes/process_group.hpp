#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include <sched.h>
#include <sys/types.h>

namespace lathe::gpu {

/// One line of /proc/PID/stat, as far as it matters here.
struct process_stat {
  char state = '?'; ///< 'Z': a zombie
  pid_t parent = 0;
  pid_t group = 0;
  unsigned long long started = 0; ///< in the kernel's ticks; the earlier the less
  double cpu_seconds = 0; ///< its own and that of children it has waited for
  std::uint64_t page_faults = 0; ///< the same
};

/// Reads a line of /proc/PID/stat; the process may have any name. Nothing found gives group 0.
process_stat parse_stat(std::string_view line);

/// Returns the group of a live process, 0 where only others may know it; nothing for one that is
/// gone, or only waits to be reaped.
std::optional<pid_t> live_group(pid_t pid);

/// Returns the CPU time [seconds] of all processes of a group.
double group_cpu_seconds(pid_t group);

/// Returns how many page faults the processes of each group had, for all groups of this machine.
std::map<pid_t, std::uint64_t> page_faults_of_groups();

/// A group's processes, bound to a few processors, and ahead of everybody else there, or with almost
/// all of their time, whichever the host allows: what others compute meanwhile is not to be seen in
/// its times. As all others again once this goes. Threads that its processes make meanwhile are
/// bound, too, but not ahead. Processes that are gone, or that refuse, are passed over.
///
/// Furthest ahead is the thread that answers for the group: the first one of its leader, of the
/// leader's first child, of that one's first child. Whatever else the group runs cannot keep it from
/// the processor.
class favoured_group {
public:
  favoured_group(pid_t group, std::span<const int> cpus);

  favoured_group(const favoured_group&) = delete;

  favoured_group& operator=(const favoured_group&) = delete;

  ~favoured_group();

  /// Binds all of it to other processors.
  void move(std::span<const int> cpus);

private:
  pid_t group_;
};

/// Lets the thread that answers for a favoured group, and those that it makes meanwhile, use other
/// processors. Once this goes all threads of the group are bound as that one was.
class unbound_thread {
public:
  unbound_thread(pid_t group, std::span<const int> cpus);

  unbound_thread(const unbound_thread&) = delete;

  unbound_thread& operator=(const unbound_thread&) = delete;

  ~unbound_thread();

private:
  pid_t group_;
  bool unbound_;
  cpu_set_t before_{};
};

} // namespace lathe::gpu
