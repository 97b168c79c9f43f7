#include "gpu/processes/native.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace fs = std::filesystem;

namespace lathe::native {

namespace {

// The new root is built on top of this folder, which every system has.
const std::string base = "/tmp";

void check(bool ok, const std::string& what) {
  if (!ok)
    throw std::system_error{errno, std::generic_category(), what};
}

// A path opened before the new root covers the old one; mounting by descriptor needs no path.
class pinned_path {
public:
  explicit pinned_path(const std::string& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  }

  pinned_path(pinned_path&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

  ~pinned_path() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  bool exists() const {
    return fd_ >= 0;
  }

  const std::string& path() const {
    return path_;
  }

  std::string source() const {
    return "/proc/self/fd/" + std::to_string(fd_);
  }

  bool is_folder() const {
    struct stat info {};
    return ::fstat(fd_, &info) == 0 && S_ISDIR(info.st_mode);
  }

private:
  std::string path_;
  int fd_;
};

std::vector<pinned_path> pin(const std::vector<std::string>& paths) {
  std::vector<pinned_path> result;
  for (const auto& path : paths)
    if (pinned_path pinned{path}; pinned.exists())
      result.push_back(std::move(pinned));
  return result;
}

void write_file(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path{path}.parent_path());
  std::ofstream{path} << text;
}

// Mounts `from` at its own place below the new root.
void bind(const pinned_path& from) {
  auto to = base + from.path();
  if (from.is_folder())
    fs::create_directories(to);
  else if (!fs::exists(to))
    write_file(to, "");
  check(::mount(from.source().c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0,
        "bind " + from.path());
}

void bind_read_only(const pinned_path& from) {
  bind(from);
  auto to = base + from.path();
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
  check(::syscall(SYS_mount_setattr, AT_FDCWD, to.c_str(), AT_RECURSIVE, &attributes,
                  sizeof(attributes))
          == 0,
        "make " + from.path() + " read-only");
}

void mount_tmpfs(const std::string& where, const std::string& options) {
  fs::create_directories(where);
  check(::mount("tmpfs", where.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) == 0,
        "mount tmpfs at " + where);
}

// Where /bin, /lib and so on are links into /usr they stay links.
std::vector<std::string> link_or_list_system_folders() {
  std::vector<std::string> folders;
  for (std::string name : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    if (fs::is_symlink(name))
      fs::create_symlink(fs::read_symlink(name), base + name);
    else
      folders.push_back(name);
  }
  return folders;
}

void make_up_files() {
  write_file(base + "/etc/passwd", "candidate:x:1000:1000::/tmp:/bin/sh\n");
  write_file(base + "/etc/group", "candidate:x:1000:\n");
  write_file(base + "/etc/hosts", "127.0.0.1 localhost\n");
}

void make_devices(const std::vector<pinned_path>& devices) {
  for (const auto& device : devices)
    bind(device);
  fs::create_symlink("/proc/self/fd", base + "/dev/fd");
  fs::create_symlink("/proc/self/fd/0", base + "/dev/stdin");
  fs::create_symlink("/proc/self/fd/1", base + "/dev/stdout");
  fs::create_symlink("/proc/self/fd/2", base + "/dev/stderr");
}

// Mounts a /proc that shows the caller's pid namespace. Where that is refused the old one is kept,
// so that /proc/self still works.
bool mount_proc(const pinned_path& old) {
  auto to = base + "/proc";
  fs::create_directories(to);
  if (::mount("proc", to.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0)
    return true;
  bind(old);
  return false;
}

void move_into(const std::string& root) {
  check(::chdir(root.c_str()) == 0, "chdir " + root);
  check(::syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
  check(::umount2(".", MNT_DETACH) == 0, "detach the old root");
  check(::chdir("/") == 0, "chdir /");
  check(
    ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr)
      == 0,
    "make the root read-only");
}

} // namespace

void lead_process_group() {
  check(::setpgid(0, 0) == 0, "setpgid");
  check(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "PR_SET_PDEATHSIG");
  std::ofstream{"/proc/self/oom_score_adj"} << "1000";
}

std::vector<std::string> enter_namespaces() {
  // The user namespace comes first: it grants the right to make the others.
  constexpr std::pair<int, const char*> kinds[] = {{CLONE_NEWUSER, "user"}, {CLONE_NEWPID, "pid"},
                                                   {CLONE_NEWNS, "mount"},  {CLONE_NEWNET, "net"},
                                                   {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"}};
  std::vector<std::string> missing;
  for (auto [flag, name] : kinds)
    if (::unshare(flag) != 0)
      missing.emplace_back(name);
  return missing;
}

pid_t fork_into(int cgroup) {
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

std::vector<std::string> build_root(const root_config& config) {
  // Without a mount namespace of its own this process would take the host's mounts apart.
  std::vector<std::string> missing;
  auto size = std::to_string(config.tmp_bytes);
  bool covered = false;
  try {
    check(::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) == 0, "make / a slave");
    auto system_files = pin({"/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime",
                             "/sys/devices/system/cpu", "/sys/devices/system/node"});
    auto read_only = pin(config.read_only);
    auto devices = pin({"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"});
    for (auto& device : pin(config.devices))
      devices.push_back(std::move(device));
    pinned_path old_proc{"/proc"};
    check(::mount("tmpfs", base.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=755") == 0,
          "mount tmpfs at " + base);
    covered = true;
    for (const auto& folder : pin(link_or_list_system_folders()))
      bind_read_only(folder);
    for (const auto& path : system_files)
      bind_read_only(path);
    // First /tmp, then what is shown: an environment or a checkout may lie in it.
    mount_tmpfs(base + "/tmp", "mode=1777,nr_inodes=200k,size=" + size);
    for (const auto& path : read_only)
      bind_read_only(path);
    make_up_files();
    make_devices(devices);
    mount_tmpfs(base + "/dev/shm", "mode=1777,nr_inodes=10k,size=" + size);
    if (!mount_proc(old_proc))
      missing.emplace_back("proc");
    move_into(base);
  } catch (const std::exception&) {
    if (covered)
      ::umount2(base.c_str(), MNT_DETACH);
    missing.assign({"root", "proc"});
  }
  return missing;
}

} // namespace lathe::native
