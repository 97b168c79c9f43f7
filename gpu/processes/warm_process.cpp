#include "gpu/processes/warm_process.hpp"

#include "messages/error.hpp"

#include <boost/json/array.hpp>
#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <limits>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;

constexpr auto spawn_limit = 120s; // preloading modules is part of it
constexpr int output_pipe_size = 1 << 20;
constexpr std::size_t most_shown = 500; // bytes of an answer that makes no sense

// All that the warm process and its workers ever see of an environment. The number of threads is
// one until the fork, because threads do not survive it.
std::vector<std::string> clean_environment(const std::filesystem::path& python,
                                           const std::filesystem::path& folder) {
  auto toolchain = (folder / "toolchain").string();
  auto bin = python.parent_path().string();
  return {"PATH=" + bin + ":/usr/local/cuda/bin:/usr/local/bin:/usr/bin:/bin",
          "HOME=/tmp",
          "TMPDIR=/tmp",
          "USER=candidate",
          "LANG=C.UTF-8",
          "XDG_CACHE_HOME=/tmp/cache",
          "TORCH_HOME=/tmp/torch",
          "TORCHINDUCTOR_CACHE_DIR=/tmp/inductor",
          "TORCHINDUCTOR_COMPILE_THREADS=1",
          "TORCH_EXTENSIONS_DIR=/tmp/extensions",
          "TRITON_CACHE_DIR=/tmp/triton",
          // What Triton's tuning found is kept with what it compiled.
          "TRITON_CACHE_AUTOTUNING=1",
          "CUDA_CACHE_PATH=/tmp/cuda",
          // What torch compiles extensions with.
          "PYTORCH_NVCC=" + toolchain + "/nvcc",
          "CXX=" + toolchain + "/g++",
          // Or a look at whether there is a GPU makes it unusable for every process forked later.
          "PYTORCH_NVML_BASED_CUDA_CHECK=1",
          "OMP_NUM_THREADS=1",
          "MKL_NUM_THREADS=1",
          "OPENBLAS_NUM_THREADS=1"};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts)
    result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Starts `arguments` with `socket` as descriptor 3, nothing to read and `errors` to write to.
int start_process(std::vector<std::string> arguments, std::vector<std::string> environment,
                  int socket, int errors, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  // Above both, so that neither is overwritten before it was copied.
  auto spare = std::max({socket, errors, 3}) + 1;
  ::posix_spawn_file_actions_adddup2(&files, socket, spare);
  ::posix_spawn_file_actions_adddup2(&files, errors, spare + 1);
  ::posix_spawn_file_actions_adddup2(&files, spare + 1, 1);
  ::posix_spawn_file_actions_adddup2(&files, spare + 1, 2);
  ::posix_spawn_file_actions_adddup2(&files, spare, 3);
  ::posix_spawn_file_actions_addclosefrom_np(&files, 4);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  // A session of its own: Ctrl-C on the terminal is for lathe alone.
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  auto result = ::posix_spawn(&pid, arguments[0].c_str(), &files, &attributes,
                              pointers(arguments).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  return result;
}

std::string last_line(int fd) {
  std::array<char, 2048> end{};
  auto size = ::lseek(fd, 0, SEEK_END);
  auto start = std::max<off_t>(0, size - static_cast<off_t>(end.size()));
  auto count = ::pread(fd, end.data(), end.size(), start);
  std::string text{end.data(), static_cast<std::size_t>(std::max<ssize_t>(0, count))};
  while (text.ends_with('\n'))
    text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

// All processes of a worker together. The oracle runs no foreign code, and makes the files of all
// draws: it is left out.
cgroup_limits limits_of(const worker_config& config) {
  constexpr auto no_limit = std::numeric_limits<std::int64_t>::max();
  auto memory = config.role == "oracle" ? no_limit : config.memory + 2 * config.tmp;
  return {memory, config.processes + 1ull}; // its init counts, too
}

boost::json::object spawn_request(const worker_config& config, std::uint64_t id) {
  boost::json::array cpus(config.cpus.begin(), config.cpus.end());
  boost::json::array devices(config.devices.begin(), config.devices.end());
  boost::json::array preload(config.preload.begin(), config.preload.end());
  return {{"id", id},
          {"op", "spawn"},
          {"role", config.role},
          {"memory", config.memory},
          {"processes", config.processes},
          {"tmp", config.tmp},
          {"threads", config.threads},
          {"cpus", std::move(cpus)},
          {"device", config.device},
          {"visible_gpu", config.visible_gpu},
          {"cuda_arch", config.cuda_arch},
          {"devices", std::move(devices)},
          {"preload", std::move(preload)}};
}

} // namespace

warm_process::warm_process(warm_process_config config) : config_(std::move(config)) {}

warm_process::~warm_process() {
  end();
}

caf::expected<std::unique_ptr<warm_process>> warm_process::start(warm_process_config config) {
  std::unique_ptr<warm_process> result{new warm_process{std::move(config)}};
  if (auto err = result->launch())
    return err;
  return result;
}

caf::error warm_process::launch(bool may_try_again) {
  auto ends = channel::make();
  if (!ends)
    return std::move(ends.error());
  requests_ = std::make_unique<channel>(std::move(ends->first));
  messages_ = unique_fd{::memfd_create("messages", MFD_CLOEXEC)};
  auto script = (config_.folder / "zygote.py").string();
  auto failed =
    start_process({config_.python.string(), "-s", "-E", "-B", script},
                  clean_environment(config_.python, config_.folder), ends->second.get(), messages_.get(), pid_);
  if (failed != 0) {
    pid_ = -1;
    return make_error(errc::environment_error,
                      "cannot start " + config_.python.string() + ": " + std::strerror(failed));
  }
  ends->second.reset(); // so that its death closes the socket
  auto message = requests_->receive_within(config_.start_limit);
  if (!message) {
    auto why = last_line(messages_.get());
    end();
    if (may_try_again && why.empty() && message.error() != errc::timed_out)
      return launch(false); // it went without a word: somebody killed it
    return make_error(errc::environment_error, "the evaluation processes do not start with "
                                                 + config_.python.string() + ": "
                                                 + (why.empty() ? describe(message.error()) : why));
  }
  auto ready = reply::parse(message->text, 0, {});
  if (!ready.ok()) {
    end();
    return make_error(errc::environment_error, "the evaluation processes do not start with "
                                                 + config_.python.string() + ": "
                                                 + ready.problem().message);
  }
  python_version_ = ready.text("python").value_or("");
  torch_version_ = ready.text("torch").value_or("");
  return {};
}

void warm_process::end() {
  requests_.reset();
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR)
    continue;
  pid_ = -1;
}

caf::expected<std::unique_ptr<worker_process>> warm_process::spawn(const worker_config& config) {
  std::lock_guard guard{mutex_};
  auto handles = requests_ ? request_worker(config)
                           : caf::expected<worker_handles>{caf::make_error(errc::evaluator_failed)};
  if (!handles) { // it is dead or confused, or somebody killed what it made: once more
    if (handles.error() == errc::evaluator_failed) {
      if (requests_)
        spdlog::warn("the evaluation processes are started again: {}", describe(handles.error()));
      end();
      if (auto err = launch())
        return err;
    }
    handles = request_worker(config);
  }
  if (!handles)
    return make_error(errc::environment_error,
                      "no evaluation process could be made: " + describe(handles.error()));
  return std::make_unique<worker_process>(std::move(*handles));
}

caf::expected<worker_handles> warm_process::request_worker(const worker_config& config) {
  auto ends = channel::make();
  if (!ends)
    return std::move(ends.error());
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0)
    return make_error(errc::environment_error,
                      std::string{"cannot make a pipe: "} + std::strerror(errno));
  unique_fd output{pipe[0]};
  unique_fd input{pipe[1]};
  ::fcntl(output.get(), F_SETPIPE_SZ, output_pipe_size);
  auto together = cgroup::make(own_cgroup_place(), limits_of(config));
  std::vector fds{ends->second.get(), input.get(), input.get()};
  if (together)
    fds.push_back(together->fd());
  if (auto err = requests_->send(spawn_request(config, ++last_id_), fds))
    return err;
  auto message = requests_->receive_within(spawn_limit);
  if (!message)
    return make_error(errc::evaluator_failed, describe(message.error()));
  auto answer = reply::parse(message->text, last_id_, std::move(message->fds));
  if (!answer.is_answer())
    return make_error(errc::evaluator_failed,
                      answer.problem().message + ": " + message->text.substr(0, most_shown));
  if (!answer.ok())
    return make_error(errc::environment_error, answer.problem().message);
  auto group = answer.integer("pid");
  if (!group || answer.fds.size() != 1)
    return make_error(errc::environment_error,
                      "the warm process gave an answer that makes no sense");
  auto missing = answer.texts("missing").value_or(std::vector<std::string>{});
  if (std::find(missing.begin(), missing.end(), "cgroup") != missing.end())
    together.reset(); // it is empty: the worker could not be put there
  else if (!together || !together->is_limited())
    missing.emplace_back("cgroup");
  return worker_handles{std::move(ends->first),     std::move(output),  std::move(answer.fds[0]),
                        static_cast<pid_t>(*group), std::move(missing), std::move(together)};
}

} // namespace lathe::gpu
