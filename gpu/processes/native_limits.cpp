#include "gpu/processes/native.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

namespace lathe::native {

namespace {

void check(bool ok, const char* what) {
  if (!ok)
    throw std::system_error{errno, std::generic_category(), what};
}

// Private writable memory of this process [bytes]: what RLIMIT_DATA counts.
std::uint64_t data_bytes() {
  std::ifstream in{"/proc/self/status"};
  for (std::string word; in >> word;)
    if (std::uint64_t kib = 0; word == "VmData:" && in >> kib)
      return kib * 1024;
  return 0;
}

void set_limit(__rlimit_resource resource, std::uint64_t value) {
  rlimit limit{};
  check(::getrlimit(resource, &limit) == 0, "getrlimit");
  limit.rlim_max = std::min<rlim_t>(limit.rlim_max, value);
  limit.rlim_cur = limit.rlim_max;
  check(::setrlimit(resource, &limit) == 0, "setrlimit");
}

// Needs a capability itself, so it comes before anything else is dropped.
void empty_bounding_set() {
  for (int capability = 0; capability < 64; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

void drop_capabilities() {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  check(::syscall(SYS_capset, &header, none) == 0, "capset");
}

// -- the filter -----------------------------------------------------------------------

using filter_pointer = std::unique_ptr<void, decltype(&seccomp_release)>;

// Looking into other processes, new namespaces and mounts, kernel interfaces with a large surface.
constexpr const char* refused[] = {"acct",
                                   "add_key",
                                   "adjtimex",
                                   "bpf",
                                   "chroot",
                                   "clock_adjtime",
                                   "clock_settime",
                                   "delete_module",
                                   "fanotify_init",
                                   "finit_module",
                                   "fsconfig",
                                   "fsmount",
                                   "fsopen",
                                   "fspick",
                                   "init_module",
                                   "io_uring_enter",
                                   "io_uring_register",
                                   "io_uring_setup",
                                   "ioperm",
                                   "iopl",
                                   "kcmp",
                                   "kexec_file_load",
                                   "kexec_load",
                                   "keyctl",
                                   "lookup_dcookie",
                                   "modify_ldt",
                                   "mount",
                                   "mount_setattr",
                                   "move_mount",
                                   "name_to_handle_at",
                                   "open_by_handle_at",
                                   "open_tree",
                                   "perf_event_open",
                                   "personality",
                                   "pidfd_getfd",
                                   "pivot_root",
                                   "process_vm_readv",
                                   "process_vm_writev",
                                   "ptrace",
                                   "quotactl",
                                   "quotactl_fd",
                                   "reboot",
                                   "request_key",
                                   "sched_setaffinity",
                                   "setdomainname",
                                   "sethostname",
                                   "setns",
                                   "settimeofday",
                                   "swapoff",
                                   "swapon",
                                   "syslog",
                                   "umount2",
                                   "unshare",
                                   "userfaultfd"};

// Sockets that a network namespace does not hold back, or that only drivers and routers need.
constexpr int refused_families[] = {AF_PACKET, AF_RDS, AF_CAN,   AF_TIPC,  AF_BLUETOOTH,
                                    AF_ALG,    AF_NFC, AF_VSOCK, AF_KCM,   AF_QIPCRTR,
                                    AF_SMC,    AF_XDP, AF_IB,    AF_PPPOX, AF_RXRPC};

constexpr std::uint64_t namespace_flags[] = {CLONE_NEWUSER,  CLONE_NEWPID, CLONE_NEWNS,
                                             CLONE_NEWNET,   CLONE_NEWIPC, CLONE_NEWUTS,
                                             CLONE_NEWCGROUP};

int call_number(const char* name) {
  return ::seccomp_syscall_resolve_name(name);
}

// A call that this architecture or this libseccomp does not know needs no rule.
bool add_rule(void* filter, std::uint32_t action, const char* name) {
  auto number = call_number(name);
  return number == __NR_SCMP_ERROR
         || ::seccomp_rule_add_array(filter, action, number, 0, nullptr) == 0;
}

template <class... Arguments>
bool add_rule(void* filter, std::uint32_t action, const char* name, scmp_arg_cmp argument,
              Arguments... more) {
  scmp_arg_cmp all[] = {argument, more...};
  auto number = call_number(name);
  return number == __NR_SCMP_ERROR
         || ::seccomp_rule_add_array(filter, action, number, std::size(all), all) == 0;
}

bool refuse_dangerous_calls(void* filter) {
  bool ok = true;
  for (auto name : refused)
    ok = ok && add_rule(filter, SCMP_ACT_ERRNO(EPERM), name);
  for (auto family : refused_families)
    ok = ok
         && add_rule(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket",
                     {0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0});
  return ok;
}

// clone3 hides its flags behind a pointer; glibc falls back to clone when it is not there.
bool refuse_new_namespaces(void* filter) {
  bool ok = add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3");
  for (auto flag : namespace_flags)
    ok =
      ok && add_rule(filter, SCMP_ACT_ERRNO(EPERM), "clone", {0, SCMP_CMP_MASKED_EQ, flag, flag});
  return ok;
}

// What the kernel sends when its time has come is sent to those who are stopped, too.
bool refuse_late_signals(void* filter) {
  auto eperm = SCMP_ACT_ERRNO(EPERM);
  // Their signals stand in memory, where no filter sees them; nothing of torch's or CUDA's asks.
  return add_rule(filter, eperm, "timer_create") && add_rule(filter, eperm, "mq_notify")
         && add_rule(filter, eperm, "clone", {0, SCMP_CMP_MASKED_EQ, CSIGNAL, SIGCONT})
         && add_rule(filter, eperm, "fcntl", {1, SCMP_CMP_EQ, F_SETSIG, 0},
                     scmp_arg_cmp{2, SCMP_CMP_EQ, SIGCONT, 0})
         && add_rule(filter, eperm, "prctl", {0, SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0},
                     scmp_arg_cmp{1, SCMP_CMP_EQ, SIGCONT, 0});
}

// Lathe freezes and kills the group as a whole. Leaving it does nothing but says it worked, because
// ninja and Python give their children groups of their own. Nothing inside ends a freeze.
bool keep_group_together(void* filter) {
  scmp_arg_cmp second{1, SCMP_CMP_EQ, SIGCONT, 0};
  scmp_arg_cmp third{2, SCMP_CMP_EQ, SIGCONT, 0};
  auto eperm = SCMP_ACT_ERRNO(EPERM);
  return add_rule(filter, SCMP_ACT_ERRNO(0), "setpgid")
         && add_rule(filter, SCMP_ACT_ERRNO(0), "setsid") && add_rule(filter, eperm, "kill", second)
         && add_rule(filter, eperm, "tkill", second) && add_rule(filter, eperm, "tgkill", third)
         && add_rule(filter, eperm, "rt_sigqueueinfo", second)
         && add_rule(filter, eperm, "rt_tgsigqueueinfo", third)
         && add_rule(filter, eperm, "pidfd_send_signal", second);
}

} // namespace

void drop_privileges(uid_t user) {
  empty_bounding_set();
  ::setgroups(0, nullptr); // only a privileged caller may, and only it needs to
  if (::geteuid() != user) {
    check(::setresgid(user, user, user) == 0, "setresgid");
    check(::setresuid(user, user, user) == 0, "setresuid");
  }
  drop_capabilities();
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
  // A change of user clears the one and forbids /proc/self to its owner with the other.
  check(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "PR_SET_PDEATHSIG");
  check(::prctl(PR_SET_DUMPABLE, 1) == 0, "PR_SET_DUMPABLE");
}

void limit_resources(std::uint64_t memory, std::uint64_t processes, std::uint64_t file_size) {
  set_limit(RLIMIT_DATA, data_bytes() + memory);
  set_limit(RLIMIT_NPROC, processes);
  set_limit(RLIMIT_FSIZE, file_size);
  set_limit(RLIMIT_NOFILE, 4096);
  set_limit(RLIMIT_CORE, 0);
}

bool filter_system_calls() {
  filter_pointer filter{::seccomp_init(SCMP_ACT_ALLOW), &seccomp_release};
  return filter && refuse_dangerous_calls(filter.get()) && refuse_new_namespaces(filter.get())
         && keep_group_together(filter.get()) && refuse_late_signals(filter.get()) && ::seccomp_load(filter.get()) == 0;
}

int keep_house(pid_t worker) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1); // matters where there is no pid namespace
  ::prctl(PR_SET_DUMPABLE, 0);        // nothing inside may write to this process
  for (;;) {
    int status = 0;
    auto ended = ::waitpid(-1, &status, 0);
    if (ended == worker)
      return status;
    if (ended < 0 && errno != EINTR)
      return -1;
  }
}

} // namespace lathe::native
