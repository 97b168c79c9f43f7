#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// The native half of the evaluation processes: what Python cannot do, or must not be trusted to
/// do. Plain C++; native.cpp gives it to Python. Functions throw std::system_error where a failure
/// leaves the process unusable, and report by value where the sandbox can go on without that part.
namespace lathe::native {

// -- sandbox: namespaces and root (native_sandbox.cpp) --------------------------------

/// What the new root holds beside the system's libraries.
struct root_config {
  std::vector<std::string> read_only; ///< folders and files that keep their place
  std::vector<std::string> devices;   ///< device files beside null, zero, full and random
  std::uint64_t tmp_bytes = 0;        ///< size of /tmp, and again of /dev/shm
};

/// Makes the caller the leader of a process group of its own that dies with its parent, and that
/// the kernel kills first when memory runs out.
void lead_process_group();

/// Moves the caller into namespaces of its own and returns the names of those that the host
/// refuses. The pid namespace holds the caller's children only.
std::vector<std::string> enter_namespaces();

/// Forks; the child begins in the control group (v2) whose folder `cgroup` is. Returns as fork()
/// does, -1 with errno set where the host does not allow it. The caller has one thread.
pid_t fork_into(int cgroup);

/// Gives the caller a root of its own and a fresh /proc. All or nothing for the root: where the
/// host refuses, the old one stays. Returns what is missing: "root", "proc".
std::vector<std::string> build_root(const root_config& config);

// -- sandbox: privileges and limits (native_limits.cpp) ---------------------------------

/// Becomes `user`, for good: no groups, no capabilities, none to be had from an executable.
void drop_privileges(uid_t user);

/// Limits memory [bytes beyond what the process has now], processes and threads, and files. The
/// limits hold for each process inside, the number of processes for all of them together.
void limit_resources(std::uint64_t memory, std::uint64_t processes, std::uint64_t file_size);

/// Refuses system calls that no candidate needs. Returns false where the host does not allow it.
bool filter_system_calls();

/// Reaps every child until `worker` ends, and returns its wait status.
int keep_house(pid_t worker);

// -- timing (native_timing.cpp) -----------------------------------------------------------

/// Nanoseconds of CLOCK_MONOTONIC_RAW.
std::int64_t now();

/// Writes to every line of a private buffer of `bytes`, so that nothing else is left in the cache.
void flush_cache(std::size_t bytes);

/// Fills memory that malloc hands out or takes back with a byte pattern; 0 ends that.
void poison_memory(int pattern);

} // namespace lathe::native
