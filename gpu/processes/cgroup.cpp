#include "gpu/processes/cgroup.hpp"

#include "gpu/processes/text_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

namespace fs = std::filesystem;

namespace lathe::gpu {

namespace {

constexpr std::string_view name_start = "lathe-"; // and the pid of whoever made the group
constexpr std::string_view controllers[] = {"memory", "pids"};
constexpr auto end_limit = std::chrono::seconds{5}; // for the kernel to take down what was killed

bool write_text(int folder, const char* name, std::string_view text) {
  unique_fd fd{::openat(folder, name, O_WRONLY | O_CLOEXEC)};
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool write_text(const fs::path& file, std::string_view text) {
  return write_text(AT_FDCWD, file.c_str(), text);
}

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream in{std::string{text}};
  return {std::istream_iterator<std::string>{in}, {}};
}

bool names_controllers(const fs::path& file) {
  auto found = words_of(read_text(file));
  return std::all_of(std::begin(controllers), std::end(controllers), [&](auto name) {
    return std::find(found.begin(), found.end(), name) != found.end();
  });
}

// mountinfo writes blanks, tabs, newlines and backslashes as three octal digits.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    auto digits = text.substr(std::min(i + 1, text.size()), 3);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 8);
    if (text[i] == '\\' && digits.size() == 3 && end == digits.data() + 3 && error == std::errc{}) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

struct cgroup_mount {
  fs::path root; // what of the hierarchy is shown
  fs::path place;
};

// A line: number parent device root place options [optional fields] - type source options.
std::optional<cgroup_mount> find_mount(std::string_view mounts) {
  std::istringstream lines{std::string{mounts}};
  for (std::string line; std::getline(lines, line);) {
    auto fields = words_of(line);
    auto separator = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() >= 6 && fields.end() - separator > 1 && separator[1] == "cgroup2")
      return cgroup_mount{unescaped(fields[3]), unescaped(fields[4])};
  }
  return std::nullopt;
}

std::optional<fs::path> own_path(std::string_view own) {
  std::istringstream lines{std::string{own}};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("0::/"))
      return fs::path{line.substr(3)};
  return std::nullopt;
}

// -- choosing ---------------------------------------------------------------------------

// The root of the whole hierarchy alone has no type; it may hold processes and controllers both.
bool is_hierarchy_root(const fs::path& group) {
  std::error_code ignored;
  return !fs::exists(group / "cgroup.type", ignored);
}

bool can_make_groups(const fs::path& group) {
  return ::access(group.c_str(), W_OK) == 0
         && ::access((group / "cgroup.procs").c_str(), W_OK) == 0;
}

// Goes into a group below `group` when nobody else is in that one.
bool make_way(const fs::path& group, pid_t self) {
  auto inside = words_of(read_text(group / "cgroup.procs"));
  if (inside.empty())
    return true;
  auto own = std::to_string(self);
  if (inside.size() > 1 || inside.front() != own)
    return false;
  auto below = group / (std::string{name_start} + own + "-self");
  std::error_code problem;
  fs::create_directory(below, problem);
  return !problem && write_text(below / "cgroup.procs", own);
}

bool has_controllers(const fs::path& group, pid_t self) {
  if (!names_controllers(group / "cgroup.controllers"))
    return false;
  if (names_controllers(group / "cgroup.subtree_control"))
    return true;
  return (is_hierarchy_root(group) || make_way(group, self))
         && write_text(group / "cgroup.subtree_control", "+memory +pids");
}

} // namespace

std::vector<fs::path> groups_around(std::string_view own, std::string_view mounts) {
  auto path = own_path(own);
  auto mount = find_mount(mounts);
  if (!path || !mount)
    return {};
  auto below = path->lexically_relative(mount->root);
  if (below.empty() || *below.begin() == "..") // the mount shows another part of the hierarchy
    return {};
  std::vector<fs::path> result;
  auto current = (mount->place / below).lexically_normal();
  if (!current.has_filename()) // what a path "." leaves
    current = current.parent_path();
  for (; current != mount->place; current = current.parent_path())
    result.push_back(current);
  result.push_back(mount->place);
  return result;
}

cgroup_place find_cgroup_place(const std::vector<fs::path>& groups, pid_t self) {
  for (auto& group : groups)
    if (can_make_groups(group) && has_controllers(group, self))
      return {group, true};
  for (auto& group : groups)
    if (can_make_groups(group))
      return {group, false};
  return {};
}

const cgroup_place& own_cgroup_place() {
  static const auto place = [] {
    auto groups = groups_around(read_text("/proc/self/cgroup"), read_text("/proc/self/mountinfo"));
    auto result = find_cgroup_place(groups, ::getpid());
    if (!result.folder.empty())
      remove_stale_cgroups(result.folder);
    return result;
  }();
  return place;
}

// The kernel removes no group with a process in it, so a wrong guess costs nobody anything.
void remove_stale_cgroups(const fs::path& folder) {
  std::error_code ignored;
  for (auto& entry : fs::directory_iterator{folder, ignored}) {
    auto name = entry.path().filename().string();
    if (!name.starts_with(name_start))
      continue;
    pid_t maker = 0;
    std::from_chars(name.data() + name_start.size(), name.data() + name.size(), maker);
    if (maker > 0 && ::kill(maker, 0) != 0 && errno == ESRCH)
      ::rmdir(entry.path().c_str());
  }
}

// -- a group ----------------------------------------------------------------------------

cgroup::cgroup(fs::path folder, unique_fd folder_fd)
  : folder_(std::move(folder)), folder_fd_(std::move(folder_fd)),
    freeze_fd_(::openat(folder_fd_.get(), "cgroup.freeze", O_WRONLY | O_CLOEXEC)) {
  // nop
}

std::unique_ptr<cgroup> cgroup::make(const cgroup_place& place, const cgroup_limits& limits) {
  static std::atomic<std::uint64_t> last_number{0};
  if (place.folder.empty())
    return nullptr;
  auto folder =
    place.folder
    / (std::string{name_start} + std::to_string(::getpid()) + "-" + std::to_string(++last_number));
  if (::mkdir(folder.c_str(), 0755) != 0)
    return nullptr;
  unique_fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::unique_ptr<cgroup> result{new cgroup{std::move(folder), std::move(fd)}};
  result->limited_ = place.limits && result->write("memory.max", std::to_string(limits.memory))
                     && result->write("pids.max", std::to_string(limits.processes));
  // Not there where the kernel does not count swap; then there is none to be had, or no limit.
  if (result->limited_)
    result->write("memory.swap.max", "0");
  return result;
}

// The kernel wakes who waits for the events when the last process has gone.
cgroup::~cgroup() {
  using clock = std::chrono::steady_clock;
  auto deadline = clock::now() + end_limit;
  while (::rmdir(folder_.c_str()) != 0 && errno == EBUSY && clock::now() < deadline) {
    kill();
    unique_fd events{::openat(folder_fd_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC)};
    std::array<char, 256> text{};
    pollfd changed{events.get(), POLLPRI, 0};
    if (::read(events.get(), text.data(), text.size() - 1) > 0
        && std::string_view{text.data()}.find("populated 1") != std::string_view::npos)
      ::poll(&changed, 1, 100);
  }
}

bool cgroup::write(const char* name, std::string_view text) const {
  return write_text(folder_fd_.get(), name, text);
}

void cgroup::freeze() {
  [[maybe_unused]] auto written = ::pwrite(freeze_fd_.get(), "1", 1, 0);
}

void cgroup::thaw() {
  [[maybe_unused]] auto written = ::pwrite(freeze_fd_.get(), "0", 1, 0);
}

void cgroup::kill() {
  write("cgroup.kill", "1");
}

bool cgroup::ran_out_of_memory() const {
  auto events = words_of(read_text(folder_ / "memory.events"));
  auto found = std::find(events.begin(), events.end(), "oom_kill");
  return events.end() - found > 1 && found[1] != "0";
}

} // namespace lathe::gpu
