#include "gpu/processes/process_group.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
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
  for (int field = 6; field < 10; ++field)
    fields >> skipped;
  for (int field = 10; field < 14; ++field) // minflt cminflt majflt cmajflt
    if (std::uint64_t value = 0; fields >> value)
      result.page_faults += value;
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

/// Calls `visit(process folder, stat)` for each process.
template <class Visit>
void for_each_process(Visit visit) {
  std::error_code ignored; // processes come and go while we look
  for (const auto& entry : fs::directory_iterator{"/proc", ignored}) {
    if (std::isdigit(static_cast<unsigned char>(entry.path().filename().native()[0])) == 0)
      continue;
    std::ifstream file{entry.path() / "stat"};
    std::string line;
    if (!std::getline(file, line))
      continue;
    visit(entry.path(), parse_stat(line));
  }
}

/// The same, of a group only.
template <class Visit>
void for_each_process(pid_t group, Visit visit) {
  for_each_process([&](const fs::path& folder, const process_stat& stat) {
    if (stat.group == group)
      visit(folder, stat);
  });
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

std::map<pid_t, std::uint64_t> page_faults_of_groups() {
  std::map<pid_t, std::uint64_t> result;
  for_each_process(
    [&](const fs::path&, const process_stat& stat) { result[stat.group] += stat.page_faults; });
  return result;
}

namespace {

// Real-time, at its lowest: ahead of all that is not. The kernel leaves others a twentieth.
constexpr int policy_ahead = SCHED_FIFO | SCHED_RESET_ON_FORK;
constexpr int priority_ahead = 1;
constexpr int priority_of_main = 2;

// Where real-time is not to be had, as in most containers: ninety times the share of others.
constexpr int policy_of_share = SCHED_OTHER | SCHED_RESET_ON_FORK;
constexpr int niceness_ahead = -19;
constexpr int niceness_of_main = -20;

pid_t first_child(const std::map<pid_t, process_stat>& members, pid_t parent) {
  const std::pair<const pid_t, process_stat>* first = nullptr;
  for (auto& x : members)
    if (x.second.parent == parent
        && (first == nullptr || x.second.started < first->second.started))
      first = &x;
  return first != nullptr ? first->first : 0;
}

// The processes of a group, by their numbers.
std::map<pid_t, process_stat> members_of(pid_t group) {
  std::map<pid_t, process_stat> result;
  for_each_process(group, [&](const fs::path& folder, const process_stat& stat) {
    result.emplace(std::atoi(folder.filename().c_str()), stat);
  });
  return result;
}

// Of a group's leader, its first child and that one's the first threads answer for the group:
// guard, init and worker. Zero stands for who is not there.
std::array<pid_t, 3> answering(const std::map<pid_t, process_stat>& members, pid_t group) {
  auto init = first_child(members, group);
  return {group, init, first_child(members, init)};
}

/// Calls `visit(thread, answers)` for each thread of a group; `answers` for those that answer for
/// it.
template <class Visit>
void for_each_thread(pid_t group, Visit visit) {
  auto members = members_of(group);
  auto first = answering(members, group);
  for (auto& [pid, stat] : members) {
    std::error_code ignored;
    for (const auto& entry :
         fs::directory_iterator{fs::path{"/proc"} / std::to_string(pid) / "task", ignored}) {
      auto thread = std::atoi(entry.path().filename().c_str());
      visit(thread, std::ranges::find(first, thread) != first.end());
    }
  }
}

cpu_set_t set_of(std::span<const int> cpus) {
  cpu_set_t result;
  CPU_ZERO(&result);
  for (auto cpu : cpus)
    CPU_SET(static_cast<std::size_t>(cpu), &result);
  return result;
}

// Among sessions it is their own niceness that counts, where the kernel groups by session. Where it
// does not, or refuses, nothing happens.
void share_as_session(pid_t member, int niceness) {
  std::ofstream{fs::path{"/proc"} / std::to_string(member) / "autogroup"} << niceness;
}

// Only root may, and may be kept from it.
bool goes_ahead(pid_t thread, bool answers) {
  sched_param order{};
  order.sched_priority = answers ? priority_of_main : priority_ahead;
  if (::sched_setscheduler(thread, policy_ahead, &order) == 0)
    return true;
  order.sched_priority = 0;
  ::sched_setscheduler(thread, policy_of_share, &order);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread),
                answers ? niceness_of_main : niceness_ahead);
  return false;
}

void goes_along(pid_t thread, int niceness) {
  sched_param order{};
  ::sched_setscheduler(thread, SCHED_OTHER, &order);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), niceness);
}

} // namespace

favoured_group::favoured_group(pid_t group, std::span<const int> cpus) : group_(group) {
  auto wanted = set_of(cpus);
  auto ahead = true;
  for_each_thread(group, [&](pid_t thread, bool answers) {
    ::sched_setaffinity(thread, sizeof(wanted), &wanted);
    ahead = goes_ahead(thread, answers) && ahead;
  });
  if (!ahead)
    share_as_session(group, niceness_ahead);
}

favoured_group::~favoured_group() {
  cpu_set_t ours;
  auto known = ::sched_getaffinity(0, sizeof(ours), &ours) == 0;
  auto niceness = ::getpriority(PRIO_PROCESS, 0);
  for_each_thread(group_, [&](pid_t thread, bool) {
    if (known)
      ::sched_setaffinity(thread, sizeof(ours), &ours);
    goes_along(thread, niceness);
  });
  share_as_session(group_, 0);
}

void favoured_group::move(std::span<const int> cpus) {
  auto wanted = set_of(cpus);
  for_each_thread(
    group_, [&](pid_t thread, bool) { ::sched_setaffinity(thread, sizeof(wanted), &wanted); });
}

unbound_thread::unbound_thread(pid_t group, std::span<const int> cpus) : group_(group) {
  auto thread = answering(members_of(group), group).back();
  auto wanted = set_of(cpus);
  unbound_ = thread > 0 && ::sched_getaffinity(thread, sizeof(before_), &before_) == 0
             && ::sched_setaffinity(thread, sizeof(wanted), &wanted) == 0;
}

unbound_thread::~unbound_thread() {
  if (unbound_)
    for_each_thread(group_, [this](pid_t thread, bool) {
      ::sched_setaffinity(thread, sizeof(before_), &before_);
    });
}

} // namespace lathe::gpu
