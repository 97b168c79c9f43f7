#include "tools/lathe/doctor/program.hpp"

#include "messages/unique_fd.hpp"
#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace lathe::doctor {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t output_limit = 64 << 10;

// Starts it as the leader of a process group of its own, with `output` as both of its streams.
int spawn(std::vector<std::string>& arguments, int output, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, output, 1);
  ::posix_spawn_file_actions_adddup2(&files, output, 2);
  ::posix_spawn_file_actions_addclosefrom_np(&files, 3);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<char*> pointers;
  for (auto& text : arguments)
    pointers.push_back(text.data());
  pointers.push_back(nullptr);
  auto result = ::posix_spawn(&pid, pointers[0], &files, &attributes, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  return result;
}

// Takes what there is to read; never waits. Returns false once there will be no more.
bool drain(int fd, std::string& output) {
  std::array<char, 4096> buffer;
  while (true) {
    auto count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return count < 0 && errno == EAGAIN;
    auto room = output_limit - output.size();
    output.append(buffer.data(), std::min(static_cast<std::size_t>(count), room));
  }
}

// Collects output until the process has ended. A grandchild that keeps the pipe open is not waited
// for. Returns false when time is up.
bool follow(int process, int pipe, clock::time_point deadline, std::string& output) {
  std::array<pollfd, 2> watched{pollfd{process, POLLIN, 0}, pollfd{pipe, POLLIN, 0}};
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    if (left <= 0)
      return false;
    ::poll(watched.data(), watched.size(), static_cast<int>(left));
    if (!drain(pipe, output))
      watched[1].fd = -1; // poll passes it over
    if (watched[0].revents != 0)
      return true;
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

program_run run_program(std::vector<std::string> arguments, std::chrono::milliseconds limit) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0)
    return {program_run::ending::not_started, 0, std::strerror(errno), 0};
  unique_fd reader{pipe[0]};
  unique_fd writer{pipe[1]};
  ::fcntl(writer.get(), F_SETFL, 0); // the program expects streams that block
  auto start = clock::now();
  pid_t pid = -1;
  if (auto problem = spawn(arguments, writer.get(), pid); problem != 0)
    return {program_run::ending::not_started, 0, std::strerror(problem), 0};
  writer.reset();
  unique_fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  program_run result;
  auto ended = follow(process.get(), reader.get(), start + limit, result.output);
  ::kill(-pid, SIGKILL);
  result.status = wait_for(pid);
  result.end = ended ? program_run::ending::exited : program_run::ending::too_slow;
  drain(reader.get(), result.output);
  result.seconds = std::chrono::duration<double>(clock::now() - start).count();
  return result;
}

std::string describe_failure(const program_run& x) {
  switch (x.end) {
    case program_run::ending::not_started:
      return fmt::format("cannot be started: {}", x.output);
    case program_run::ending::too_slow:
      return fmt::format("gave no answer within {:.1f} s", x.seconds);
    case program_run::ending::exited:
      break;
  }
  auto how = x.status > 128 ? fmt::format("was killed by signal {}", x.status - 128)
                            : fmt::format("failed with exit code {}", x.status);
  auto why = last_line(x.output);
  return why.empty() ? how : fmt::format("{}: {}", how, why);
}

std::optional<fs::path> find_program(const std::string& name, std::span<const fs::path> folders) {
  for (auto& folder : folders) {
    auto file = folder / name;
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0)
      return file;
  }
  return std::nullopt;
}

std::vector<fs::path> split_path(std::string_view path) {
  std::vector<fs::path> result;
  while (!path.empty()) {
    auto end = std::min(path.find(':'), path.size());
    if (end > 0)
      result.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return result;
}

std::vector<fs::path> user_path() {
  auto* path = std::getenv("PATH");
  return split_path(path == nullptr ? "" : path);
}

// The same as in the clean environment that gpu/processes/warm_process.cpp starts Python with.
std::vector<fs::path> evaluation_path(const fs::path& python) {
  return {python.parent_path(), "/usr/local/cuda/bin", "/usr/local/bin", "/usr/bin", "/bin"};
}

} // namespace lathe::doctor
