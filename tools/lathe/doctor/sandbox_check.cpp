#include "tools/lathe/doctor/sandbox_check.hpp"

#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

namespace fs = std::filesystem;

namespace lathe::doctor {

namespace {

constexpr unsigned sys_admin_bit = 21; // linux/capability.h

constexpr auto container_options =
  "start the container with --security-opt seccomp=unconfined --security-opt "
  "apparmor=unconfined --security-opt systempaths=unconfined, and --cap-add SYS_ADMIN if that is "
  "not enough";

// What a candidate can do when a part is missing.
std::string consequence(const std::string& part) {
  static const std::map<std::string, std::string> known{
    {"user", "candidates run as the user who started Lathe"},
    {"pid", "candidates see other processes"},
    {"mount", "candidates see this machine's files"},
    {"net", "candidates reach the network"},
    {"ipc", "candidates share memory with other processes"},
    {"uts", "candidates see the host's name"},
    {"root", "candidates see this machine's files"},
    {"proc", "candidates see other processes in /proc"},
    {"seccomp", "candidates may make any system call"},
    {"cgroup", "memory and processes of a candidate are limited one by one, not together"}};
  auto i = known.find(part);
  return i == known.end() ? part : fmt::format("{} ({})", part, i->second);
}

std::string remedy_for(std::span<const std::string> missing, const sandbox_rules& rules) {
  auto lacks = [&](std::string_view part) {
    return std::find(missing.begin(), missing.end(), part) != missing.end();
  };
  auto other = [](const std::string& part) {
    return part != "proc" && part != "seccomp" && part != "cgroup";
  };
  if (std::any_of(missing.begin(), missing.end(), other))
    return remedy_for_namespaces(rules);
  if (lacks("proc"))
    return rules.container ? container_options
                           : "parts of /proc are covered by other mounts: start Lathe where they "
                             "are not, outside the surrounding sandbox";
  if (lacks("seccomp"))
    return "use a kernel with CONFIG_SECCOMP_FILTER";
  return remedy_for_control_groups(rules);
}

} // namespace

sandbox_rules parse_status(std::string_view status) {
  sandbox_rules result;
  for (auto& line : lines_of(status)) {
    if (line.starts_with("CapEff:"))
      result.sys_admin = (std::strtoull(line.c_str() + 7, nullptr, 16) >> sys_admin_bit & 1) != 0;
    if (line.starts_with("Seccomp:"))
      result.filtered = number_in(std::string_view{line}.substr(8)).value_or(0) != 0;
  }
  return result;
}

sandbox_rules look_at_sandbox_rules() {
  auto setting = [](const char* name) {
    return number_in(read_text(fs::path{"/proc/sys"} / name));
  };
  auto result = parse_status(read_text("/proc/self/status"));
  result.unprivileged_userns_clone = setting("kernel/unprivileged_userns_clone");
  result.apparmor_restrict_unprivileged_userns =
    setting("kernel/apparmor_restrict_unprivileged_userns");
  result.max_user_namespaces = setting("user/max_user_namespaces");
  std::error_code ignored;
  for (auto* mark : {"/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io"})
    result.container = result.container || fs::exists(mark, ignored);
  result.root = ::geteuid() == 0;
  result.unified = fs::exists("/sys/fs/cgroup/cgroup.controllers", ignored);
  return result;
}

// The kernel's own settings first: in a container they count as well.
std::string remedy_for_namespaces(const sandbox_rules& rules) {
  if (rules.max_user_namespaces == 0)
    return "as root: sysctl -w user.max_user_namespaces=10000";
  if (!rules.sys_admin && rules.unprivileged_userns_clone == 0)
    return "as root: sysctl -w kernel.unprivileged_userns_clone=1";
  if (!rules.sys_admin && rules.apparmor_restrict_unprivileged_userns.value_or(0) != 0)
    return "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  if (rules.container)
    return container_options;
  if (rules.filtered)
    return "a seccomp filter of what started this shell forbids namespaces: start Lathe outside it";
  return "use a kernel with user, pid, net, ipc and uts namespaces, or start Lathe as root";
}

std::string remedy_for_control_groups(const sandbox_rules& rules) {
  if (!rules.unified)
    return "control groups with limits need cgroup v2: boot with "
           "systemd.unified_cgroup_hierarchy=1";
  if (rules.container)
    return "give the container control groups that it may write to: --privileged "
           "--cgroupns=private, with lathe as its only process (exec lathe ...)";
  if (!rules.root)
    return "start Lathe in a group of its own: systemd-run --user --scope -p Delegate=yes lathe "
           "...";
  return "start Lathe in a group of its own: systemd-run --scope -p Delegate=yes lathe ...";
}

finding judge_sandbox(std::span<const std::string> missing, const sandbox_rules& rules) {
  if (missing.empty())
    return ok("sandbox", "all parts work: namespaces, a root of its own, system call filter, "
                         "control groups");
  std::vector<std::string> parts;
  for (auto& part : missing)
    parts.push_back(consequence(part));
  return warning("sandbox", fmt::format("without {}", fmt::join(parts, ", ")),
                 remedy_for(missing, rules));
}

} // namespace lathe::doctor
