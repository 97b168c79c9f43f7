// What a candidate finds when it looks around.
#include "tests/gpu/processes/process_fixture.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

namespace lathe::gpu::testing {

using ::testing::HasSubstr;
using ::testing::Not;

class sandbox : public process_fixture {};

// Where groups with limits can be made, nothing may be missing; where not, that alone.
TEST_F(sandbox, nothing_is_missing_but_limits_that_this_host_does_not_give) {
  std::vector<std::string> lacks;
  if (!own_cgroup_place().limits)
    lacks.emplace_back("cgroup");
  EXPECT_EQ(spawn()->missing(), lacks);
}

TEST_F(sandbox, a_candidate_is_in_a_control_group_of_its_own) {
  auto& place = own_cgroup_place();
  if (place.folder.empty())
    GTEST_SKIP() << "this host lets nobody make control groups";
  auto own = "/lathe-" + std::to_string(::getpid()) + "-";
  auto first = output_of("print(open('/proc/self/cgroup').read())");
  auto second = output_of("print(open('/proc/self/cgroup').read())");
  EXPECT_THAT(first, HasSubstr(own));
  EXPECT_THAT(second, HasSubstr(own));
  EXPECT_NE(first, second);
  for (auto& entry : std::filesystem::directory_iterator{place.folder})
    EXPECT_THAT(entry.path().string() + "-", Not(HasSubstr(own))) << "it goes with its worker";
}

TEST_F(sandbox, a_candidate_cannot_have_itself_thawed) {
  EXPECT_EQ(output_of("import ctypes, errno, struct\n"
                      "libc = ctypes.CDLL(None, use_errno=True)\n"
                      "SIGCONT = 18\n"
                      "def attempt(name, number, *args):\n"
                      "  failed = libc.syscall(number, *args) < 0\n"
                      "  print(name, errno.errorcode[ctypes.get_errno()] if failed else 'done')\n"
                      "event = struct.pack('QiiI44x', 0, SIGCONT, 0, 0)\n"
                      "attempt('timer', 222, 1, event, ctypes.byref(ctypes.c_int()))\n"
                      "attempt('owner', 72, 1, 10, SIGCONT)\n"
                      "attempt('parent', 157, 1, SIGCONT)\n"
                      "attempt('child', 56, SIGCONT, 0, 0, 0, 0)\n"
                      "attempt('queue', 244, -1, event)"),
            "timer EPERM\nowner EPERM\nparent EPERM\nchild EPERM\nqueue EPERM\n");
}

TEST_F(sandbox, a_candidate_has_no_network) {
  EXPECT_EQ(output_of("import socket\n"
                      "try: socket.create_connection(('1.1.1.1', 53), 2)\n"
                      "except OSError as e: print(type(e).__name__, e.errno)\n"
                      "print(sorted(n for _, n in socket.if_nameindex()))"),
            "OSError 101\n['lo']\n");
}

TEST_F(sandbox, the_root_is_read_only_and_tmp_is_not) {
  EXPECT_EQ(output_of("import os\n"
                      "for path in '/x', '/usr/x', '/etc/x', '/dev/x':\n"
                      "  try: open(path, 'w')\n"
                      "  except OSError as e: print(path, e.errno)\n"
                      "open('/tmp/x', 'w').write('y'); print(open('/tmp/x').read())"),
            "/x 30\n/usr/x 30\n/etc/x 30\n/dev/x 30\ny\n");
}

TEST_F(sandbox, tmp_holds_no_more_than_it_may) {
  EXPECT_EQ(output_of("try:\n"
                      "  with open('/tmp/big', 'wb') as f:\n"
                      "    for _ in range(300): f.write(bytes(1 << 20))\n"
                      "except OSError as e: print(e.errno)"),
            "28\n");
}

TEST_F(sandbox, the_users_files_are_not_there) {
  auto out =
    output_of("import os\n"
              "print(sorted(os.listdir('/')))\n"
              "print('tree', os.path.exists('" LATHE_TEST_SOURCE "/CMakeLists.txt'))\n"
              "print('home', [n for n in ('.ssh', '.bashrc', '.profile') if "
              "os.path.exists('"
              + std::string{std::getenv("HOME")}
              + "/' + n)])\n"
                "print('etc', os.path.exists('/etc/shadow'), os.path.exists('/etc/hostname'))");
  EXPECT_THAT(out, HasSubstr("tree False\nhome []\netc False False\n"));
  EXPECT_THAT(out, Not(HasSubstr("'var'")));
}

TEST_F(sandbox, the_environment_is_clean) {
  ::setenv("LATHE_TEST_SECRET", "hunter2", 1);
  auto out = output_of("import os\n"
                       "print(os.environ)\n"
                       "print(open('/proc/self/environ').read())\n"
                       "print('home is', os.environ['HOME'])");
  EXPECT_THAT(out, Not(HasSubstr("LATHE")));
  EXPECT_THAT(out, HasSubstr("home is /tmp\n"));
}

TEST_F(sandbox, a_candidate_sees_its_own_processes_only) {
  EXPECT_EQ(output_of("import os\n"
                      "print(os.getpid(), os.getppid())\n"
                      "print(sorted(n for n in os.listdir('/proc') if n.isdigit()))"),
            "2 1\n['1', '2']\n");
}

TEST_F(sandbox, a_candidate_is_nobody_and_may_do_nothing_special) {
  EXPECT_EQ(output_of("import os\n"
                      "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
                      "for line in open('/proc/self/status'):\n"
                      "  if line.startswith(('Cap', 'NoNewPrivs', 'Seccomp:')):\n"
                      "    print(line.split()[1])"),
            "(1000, 1000, 1000) (1000, 1000, 1000) []\n"
            "0000000000000000\n0000000000000000\n0000000000000000\n0000000000000000\n"
            "0000000000000000\n1\n2\n");
}

TEST_F(sandbox, dangerous_system_calls_are_refused) {
  EXPECT_EQ(output_of("import ctypes, os, errno\n"
                      "libc = ctypes.CDLL(None, use_errno=True)\n"
                      "def attempt(name, number, *args):\n"
                      "  result = libc.syscall(number, *args)\n"
                      "  print(name, errno.errorcode[ctypes.get_errno()] if result else 'done')\n"
                      "attempt('ptrace', 101, 0, 0, 0, 0)\n"
                      "attempt('unshare', 272, 0x10000000)\n"
                      "attempt('clone', 56, 0x10000000 | 17, 0, 0, 0, 0)\n"
                      "attempt('clone3', 435, 0, 0)\n"
                      "attempt('mount', 165, 0, b'/tmp', b'tmpfs', 0, 0)\n"
                      "attempt('io_uring_setup', 425, 8, 0)\n"
                      "attempt('resume', 62, os.getpid(), 18)"),
            "ptrace EPERM\nunshare EPERM\nclone EPERM\nclone3 ENOSYS\nmount EPERM\n"
            "io_uring_setup EPERM\nresume EPERM\n");
}

TEST_F(sandbox, a_candidate_cannot_leave_its_process_group) {
  EXPECT_EQ(output_of("import os, subprocess\n"
                      "before = os.getpgid(0)\n"
                      "os.setsid(); os.setpgid(0, 0)\n"
                      "print(os.getpgid(0) == before)\n"
                      "print(subprocess.run(['echo', 'child'], start_new_session=True, "
                      "capture_output=True, text=True).stdout.strip())"),
            "True\nchild\n");
}

TEST_F(sandbox, a_candidate_finds_no_descriptors_but_its_own) {
  EXPECT_EQ(
    output_of("import os\n"
              "print(sorted(fd for fd in os.listdir('/proc/self/fd') if int(fd) < 4))\n"
              "print([os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir("
              "'/proc/self/fd') if int(fd) > 6 and os.path.exists(f'/proc/self/fd/{fd}')])"),
    "['0', '1', '2', '3']\n[]\n");
}

TEST_F(sandbox, orphans_are_reaped) {
  EXPECT_EQ(output_of("import os, subprocess, time\n"
                      "subprocess.run(['sh', '-c', 'true & true & true'])\n"
                      "def others(): return [n for n in os.listdir('/proc') if n.isdigit() "
                      "and int(n) > 2]\n"
                      "while others(): time.sleep(0.001)\n"
                      "print('none left')"),
            "none left\n");
}

} // namespace lathe::gpu::testing
