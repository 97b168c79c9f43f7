#pragma once

#include "tools/lathe/doctor/finding.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lathe::doctor {

/// What decides on this machine how much of a sandbox a process may make for itself.
struct sandbox_rules {
  // Settings of the kernel; some exist on some distributions only.
  std::optional<std::int64_t> unprivileged_userns_clone;
  std::optional<std::int64_t> apparmor_restrict_unprivileged_userns;
  std::optional<std::int64_t> max_user_namespaces;
  // Of this process.
  bool sys_admin = false; ///< has the capability CAP_SYS_ADMIN
  bool filtered = false;  ///< runs under somebody's seccomp filter
  bool container = false;
  bool root = false;
  bool unified = false; ///< control groups are of version 2 alone
};

/// Reads /proc/self/status for the capability and the filter.
sandbox_rules parse_status(std::string_view status);

sandbox_rules look_at_sandbox_rules();

/// Returns how to let processes make namespaces where these rules forbid it.
std::string remedy_for_namespaces(const sandbox_rules& rules);

/// Returns how to have control groups with limits.
std::string remedy_for_control_groups(const sandbox_rules& rules);

/// @param missing the parts that a worker's sandbox lacks, as gpu::worker_process names them
finding judge_sandbox(std::span<const std::string> missing, const sandbox_rules& rules);

} // namespace lathe::doctor
