#include "gpu/verifier/verifier_pool.hpp"

#include "gpu/processes/channel.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include <spdlog/spdlog.h>

#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>

namespace lathe::verifier {

namespace {

namespace json = boost::json;

constexpr int socket_fd = 3; // where the verifier looks for it

constexpr auto start_limit = std::chrono::seconds{60};

caf::error failed(const std::string& why) {
  return make_error(errc::evaluator_failed, "the verifier " + why);
}

caf::error late() {
  return make_error(errc::timed_out, "the verifier did not answer in time");
}

// The process gets its socket, our standard streams and nothing else: no other descriptor and an
// environment of its own.
int spawn(const std::string& executable, const std::string& gpu, std::int64_t kept, int socket,
          pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, socket_fd);
  posix_spawn_file_actions_addclosefrom_np(&actions, socket_fd + 1);
  std::string name = executable;
  std::string threads = "OMP_NUM_THREADS=1";
  std::string visible = "CUDA_VISIBLE_DEVICES=" + gpu;
  std::array<char*, 2> arguments{name.data(), nullptr};
  auto memory = kept_memory_variable + ("=" + std::to_string(kept));
  std::array<char*, 4> variables{threads.data(), visible.data(), memory.data(), nullptr};
  auto result =
    ::posix_spawn(&pid, executable.c_str(), &actions, nullptr, arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  return result;
}

caf::expected<json::object> parse_reply(const std::string& text) {
  json::error_code problem;
  auto parsed = json::parse(text, problem);
  auto* reply = problem ? nullptr : parsed.if_object();
  auto* ok = reply ? reply->if_contains("ok") : nullptr;
  if (!ok || !ok->is_bool())
    return failed("gave an answer that makes no sense");
  if (ok->get_bool())
    return std::move(*reply);
  auto* message = reply->if_contains("message");
  return failed("refused: "
                + (message && message->is_string() ? std::string{message->get_string()}
                                                   : std::string{"no reason given"}));
}

json::array positions(std::span<const int> fds) {
  json::array result;
  for (std::size_t i = 0; i < fds.size(); ++i)
    result.push_back(i);
  return result;
}

// Runs `read` on a reply whose keys the protocol promises.
template <class Read>
auto read_reply(const json::object& reply, Read read) -> caf::expected<decltype(read(reply))> {
  try {
    return read(reply);
  } catch (const std::exception&) { // Boost.JSON: a key is missing or of another type
    return failed("left something out of its answer");
  }
}

} // namespace

// -- one process --------------------------------------------------------------------------

class verifier_pool::process {
public:
  process(std::string executable, std::int64_t kept)
    : executable_(std::move(executable)), kept_(kept) {
    // nop
  }

  process(const process&) = delete;
  process& operator=(const process&) = delete;

  ~process() {
    stop();
  }

  bool runs() const {
    return channel_.has_value();
  }

  // Starts it where it does not run. Whatever goes wrong ends it: a late answer must not be taken
  // for the next one's.
  caf::expected<json::object> ask(const std::string& gpu, const json::object& request,
                                  std::span<const int> fds, time_point deadline);

  void stop();

  /// Has whoever waits for its answer hear that it died, and starts no more. From any thread.
  void kill();

private:
  caf::error start(const std::string& gpu);

  const std::string executable_;
  const std::int64_t kept_;             // of the GPU's memory [bytes]
  std::optional<gpu::channel> channel_; // there while the process is
  std::mutex mutex_;                    // guards what follows
  pid_t pid_ = -1;
  bool killed_ = false;
};

caf::expected<json::object> verifier_pool::process::ask(const std::string& gpu,
                                                        const json::object& request,
                                                        std::span<const int> fds,
                                                        time_point deadline) {
  if (!channel_)
    if (auto problem = start(gpu))
      return problem;
  auto problem = channel_->send(request, fds);
  if (!problem) {
    auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    auto message = channel_->receive_within(std::max(left, std::chrono::milliseconds{0}));
    if (message)
      return parse_reply(message->text);
    problem = std::move(message.error());
  }
  stop();
  if (problem == errc::timed_out)
    return late();
  return failed("died");
}

caf::error verifier_pool::process::start(const std::string& gpu) {
  auto ends = gpu::channel::make();
  if (!ends)
    return std::move(ends.error());
  std::lock_guard guard{mutex_};
  if (killed_)
    return failed("is not needed any more");
  if (auto code = spawn(executable_, gpu, kept_, ends->second.get(), pid_); code != 0) {
    pid_ = -1;
    return make_error(errc::environment_error,
                      "cannot start " + executable_ + ": " + std::strerror(code));
  }
  channel_.emplace(std::move(ends->first));
  return {};
}

void verifier_pool::process::stop() {
  channel_.reset();
  std::lock_guard guard{mutex_};
  if (pid_ < 0)
    return;
  ::kill(pid_, SIGKILL); // it owns nothing that needs an orderly end
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR)
    ;
  pid_ = -1;
}

void verifier_pool::process::kill() {
  std::lock_guard guard{mutex_};
  killed_ = true;
  if (pid_ >= 0)
    ::kill(pid_, SIGKILL);
}

// -- all of them --------------------------------------------------------------------------

/// Has one to itself for as long as it lives.
class verifier_pool::lease {
public:
  explicit lease(verifier_pool& home) : home_(home), holder_(home.take()) {
    // nop
  }

  lease(const lease&) = delete;
  lease& operator=(const lease&) = delete;

  ~lease() {
    home_.give_back(std::move(holder_));
  }

  process& holder() {
    return *holder_;
  }

private:
  verifier_pool& home_;
  std::shared_ptr<process> holder_;
};

verifier_pool::verifier_pool(std::string executable, std::size_t most, std::string gpu,
                             std::int64_t kept)
  : executable_(std::move(executable)), gpu_(std::move(gpu)), kept_(kept), left_(most) {
  // nop
}

verifier_pool::~verifier_pool() {
  for (auto& x : begun_)
    x->kill();
}

// Who cannot be started says so when it is needed.
void verifier_pool::start() {
  while (auto one = make()) {
    begun_.push_back(one);
    auto work = [this, one] {
      auto deadline = std::chrono::steady_clock::now() + start_limit;
      (void)one->ask(gpu_, {{"op", "start"}}, {}, deadline);
      give_back(one);
    };
    try {
      starting_.push_back(std::async(std::launch::async, work));
    } catch (const std::system_error&) { // there are no threads left
      return give_back(one);
    }
  }
}

caf::expected<comparison> verifier_pool::compare(const comparison_request& x, time_point deadline) {
  json::object request{{"op", "compare"}, {"policy", x.policy}, {"k", x.k},
                       {"expected", 0},   {"got", 1},           {"evidence", x.evidence}};
  std::vector<int> fds{x.expected, x.got};
  if (x.correction >= 0) {
    request["correction"] = 2;
    fds.push_back(x.correction);
  }
  auto reply = ask(request, fds, deadline);
  if (!reply)
    return std::move(reply.error());
  return read_reply(*reply, [](const json::object& said) {
    return comparison{said.at("agrees").as_bool(), std::string{said.at("evidence").as_string()},
                      said.at("error_ratio").to_number<double>(),
                      std::string{said.at("precision_class").as_string()}};
  });
}

caf::expected<std::string> verifier_pool::audit(const std::string& policy,
                                                std::span<const int> expected_fds,
                                                time_point deadline) {
  auto reply = ask({{"op", "audit"}, {"policy", policy}, {"expected", positions(expected_fds)}},
                   expected_fds, deadline);
  if (!reply)
    return std::move(reply.error());
  return read_reply(
    *reply, [](const json::object& x) { return std::string{x.at("degenerate").as_string()}; });
}

caf::expected<std::vector<trivial_answer>>
verifier_pool::try_trivial_answers(const std::string& policy, std::span<const int> expected_fds,
                                   time_point deadline) {
  auto reply =
    ask({{"op", "audit"}, {"policy", policy}, {"expected", positions(expected_fds)}, {"all", true}},
        expected_fds, deadline);
  if (!reply)
    return std::move(reply.error());
  return read_reply(*reply, [](const json::object& x) {
    std::vector<trivial_answer> result;
    for (auto& tried : x.at("tried").as_array()) {
      auto& passes = tried.at("passes");
      result.push_back({std::string{tried.at("answer").as_string()},
                        passes.is_null() ? std::nullopt : std::optional{passes.as_bool()}});
    }
    return result;
  });
}

caf::expected<json::object> verifier_pool::ask(const json::object& request,
                                               std::span<const int> fds, time_point deadline) {
  if (fds.size() > gpu::channel::max_descriptors)
    return failed("takes at most " + std::to_string(gpu::channel::max_descriptors)
                  + " files at once");
  using clock = std::chrono::steady_clock;
  auto asked = clock::now();
  lease one{*this};
  auto begun = clock::now();
  if (begun > deadline)
    return late();
  auto reply = ask(one.holder(), request, fds, deadline);
  spdlog::trace("verifier: {} took {:.4f} s, waited {:.4f} s",
                std::string_view{request.at("op").as_string()},
                std::chrono::duration<double>(clock::now() - begun).count(),
                std::chrono::duration<double>(begun - asked).count());
  return reply;
}

// Who died, or could not do it, is asked once more, in a new process: it may have died before the
// question, and a GPU that has no room left is one that the second has nothing to do with.
caf::expected<json::object> verifier_pool::ask(process& one, const json::object& request,
                                               std::span<const int> fds,
                                               time_point deadline) const {
  auto reply = one.ask(gpu_, request, fds, deadline);
  auto died = !one.runs();
  if (!reply && reply.error() != errc::timed_out && (died || !gpu_.empty())) {
    spdlog::trace("{}; it is asked once more, on the CPU", describe(reply.error()));
    one.stop();
    reply = one.ask({}, request, fds, deadline);
    if (!gpu_.empty())
      one.stop();
  }
  return reply;
}

// Nothing where there are enough.
std::shared_ptr<verifier_pool::process> verifier_pool::make() {
  std::lock_guard guard{mutex_};
  return left_ > 0 ? make_counted() : nullptr;
}

// For whoever has the mutex.
std::shared_ptr<verifier_pool::process> verifier_pool::make_counted() {
  --left_;
  return std::make_shared<process>(executable_, kept_);
}

// The one that was of use last: it has its memory still.
std::shared_ptr<verifier_pool::process> verifier_pool::take() {
  std::unique_lock guard{mutex_};
  changed_.wait(guard, [this] { return left_ > 0 || !idle_.empty(); });
  if (idle_.empty())
    return make_counted();
  auto result = std::move(idle_.back());
  idle_.pop_back();
  return result;
}

void verifier_pool::give_back(std::shared_ptr<process> one) {
  {
    std::lock_guard guard{mutex_};
    idle_.push_back(std::move(one));
  }
  changed_.notify_one();
}

} // namespace lathe::verifier
