#include "gpu/processes/process_group.hpp"

#include <sched.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>

namespace fs = std::filesystem;

namespace lathe::gpu {

process_stat parse_stat(std::string_view line) {
  // pid (name) state ppid group ...: the name may hold spaces and parentheses.
  auto name_end = line.rfind(')');
  if (name_end == std::string_view::npos)
    return {};
  std::istringstream fields{std::string{line.substr(name_end + 1)}};
  std::string skipped;
  process_stat result;
  fields >> result.state >> result.parent >> result.group;
  for (int field = 6; field < 14; ++field)
    fields >> skipped;
  double ticks = 0;
  for (int field = 14; field < 18; ++field) // utime stime cutime cstime
    if (double value = 0; fields >> value)
      ticks += value;
  for (int field = 18; field < 22; ++field)
    fields >> skipped;
  fields >> result.started;
  result.cpu_seconds = ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return result;
}

namespace {

/// Calls `visit(process folder, stat)` for each process of a group.
template <class Visit>
void for_each_process(pid_t group, Visit visit) {
  std::error_code ignored; // processes come and go while we look
  for (const auto& entry : fs::directory_iterator{"/proc", ignored}) {
    if (std::isdigit(static_cast<unsigned char>(entry.path().filename().native()[0])) == 0)
      continue;
    std::ifstream file{entry.path() / "stat"};
    std::string line;
    if (!std::getline(file, line))
      continue;
    if (auto stat = parse_stat(line); stat.group == group)
      visit(entry.path(), stat);
  }
}

} // namespace

std::optional<pid_t> live_group(pid_t pid) {
  std::ifstream file{fs::path{"/proc"} / std::to_string(pid) / "stat"};
  std::string line;
  if (!std::getline(file, line)) // gone, or hidden (hidepid)
    return ::kill(pid, 0) != 0 && errno == EPERM ? std::optional<pid_t>{0} : std::nullopt;
  auto stat = parse_stat(line);
  if (stat.group == 0 || stat.state == 'Z' || stat.state == 'X')
    return std::nullopt;
  return stat.group;
}

double group_cpu_seconds(pid_t group) {
  double sum = 0;
  for_each_process(group,
                   [&](const fs::path&, const process_stat& stat) { sum += stat.cpu_seconds; });
  return sum;
}

namespace {

// Real-time, at its lowest: ahead of all that is not. The kernel leaves others a twentieth.
constexpr int policy_ahead = SCHED_FIFO | SCHED_RESET_ON_FORK;
constexpr int priority_ahead = 1;
constexpr int priority_of_main = 2;

pid_t first_child(const std::map<pid_t, process_stat>& members, pid_t parent) {
  const std::pair<const pid_t, process_stat>* first = nullptr;
  for (auto& x : members)
    if (x.second.parent == parent
        && (first == nullptr || x.second.started < first->second.started))
      first = &x;
  return first != nullptr ? first->first : 0;
}

void place_group(pid_t group, const cpu_set_t& cpus, int policy, bool ahead) {
  std::map<pid_t, process_stat> members;
  for_each_process(group, [&](const fs::path& folder, const process_stat& stat) {
    members.emplace(std::atoi(folder.filename().c_str()), stat);
  });
  auto init = first_child(members, group);
  std::set<pid_t> answering{group, init, first_child(members, init)};
  for (auto& [pid, stat] : members) {
    std::error_code ignored;
    for (const auto& entry :
         fs::directory_iterator{fs::path{"/proc"} / std::to_string(pid) / "task", ignored}) {
      auto thread = std::atoi(entry.path().filename().c_str());
      sched_param order{};
      if (ahead)
        order.sched_priority = answering.contains(thread) ? priority_of_main : priority_ahead;
      ::sched_setaffinity(thread, sizeof(cpus), &cpus);
      ::sched_setscheduler(thread, policy, &order); // only root may, and may be kept from it
    }
  }
}

} // namespace

favoured_group::favoured_group(pid_t group, std::span<const int> cpus) : group_(group) {
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  for (auto cpu : cpus)
    CPU_SET(static_cast<std::size_t>(cpu), &wanted);
  place_group(group, wanted, policy_ahead, true);
}

favoured_group::~favoured_group() {
  cpu_set_t ours;
  CPU_ZERO(&ours);
  if (::sched_getaffinity(0, sizeof(ours), &ours) == 0)
    place_group(group_, ours, SCHED_OTHER, false);
}

} // namespace lathe::gpu
