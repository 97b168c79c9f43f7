#pragma once

#include "messages/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace lathe::gpu {

/// Returns the folders of the control group (v2) that a process is in and of those around it as far
/// as they can be seen, innermost first. Empty where there is no such hierarchy.
/// @param own the text of /proc/PID/cgroup
/// @param mounts the text of /proc/PID/mountinfo
std::vector<std::filesystem::path> groups_around(std::string_view own, std::string_view mounts);

/// Where control groups for workers are made.
struct cgroup_place {
  std::filesystem::path folder; ///< of the group around them; empty: the host allows none
  bool limits = false;          ///< they can limit memory and processes, not only freeze and kill
};

/// Finds the innermost of `groups`, as `groups_around` gives them, in which groups with limits can
/// be made; else one for groups without. Turns the controllers on where that needs no process of
/// anybody else to move: `self` itself, alone in its group, goes into one below it.
cgroup_place find_cgroup_place(const std::vector<std::filesystem::path>& groups, pid_t self);

/// The place of this process's workers. Looked for once; what earlier runs left there is removed.
const cgroup_place& own_cgroup_place();

/// Removes the empty groups in `folder` that processes made which are no more.
void remove_stale_cgroups(const std::filesystem::path& folder);

/// What the processes of a group may use together.
struct cgroup_limits {
  std::uint64_t memory = 0; ///< [bytes], with files in memory
  std::uint64_t processes = 0;
};

/// A control group of its own for one worker. What is in it ends with it.
class cgroup {
public:
  /// Makes an empty group. Returns nullptr where the host allows none.
  static std::unique_ptr<cgroup> make(const cgroup_place& place, const cgroup_limits& limits);

  cgroup(const cgroup&) = delete;
  cgroup& operator=(const cgroup&) = delete;

  /// Kills what is in it and removes it.
  ~cgroup();

  /// The folder, for whoever clones a process into the group.
  int fd() const {
    return folder_fd_.get();
  }

  const std::filesystem::path& folder() const {
    return folder_;
  }

  /// Whether all of its limits hold.
  bool is_limited() const {
    return limited_;
  }

  // Of all processes in the group, wherever they have gone to. Failures are passed over: whoever
  // calls sends signals as well.
  void freeze();
  void thaw();
  void kill();

  /// Whether the kernel has killed a process of the group since it had no memory left to give.
  bool ran_out_of_memory() const;

private:
  cgroup(std::filesystem::path folder, unique_fd folder_fd);

  bool write(const char* name, std::string_view text) const;

  std::filesystem::path folder_;
  unique_fd folder_fd_;
  unique_fd freeze_fd_;
  bool limited_ = false;
};

} // namespace lathe::gpu
