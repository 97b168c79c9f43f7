#include "gpu/processes/worker_process.hpp"

#include "gpu/processes/process_group.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <tuple>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;
using seconds = std::chrono::duration<double>;

constexpr std::size_t tail_size = 16 * 1024;
constexpr auto together_too_much = "its processes together used more memory than they may";
constexpr auto farewell_limit = 1000ms;
constexpr auto end_limit = 5s; // for the kernel to take down what was killed

// Who is late is looked at so often. He lacks cores who has worked since the last look, by the
// kernel's ticks, and has had less than this share of his limit of a core.
constexpr auto look_after = 250ms;
constexpr double least_work = 0.005; // [seconds]
constexpr double most_work = 0.8;
constexpr int most_patience = 4; // limits
constexpr double never = -1;

bool readable(int fd, std::chrono::milliseconds limit) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(limit.count())) > 0;
}

std::string_view operation_of(const boost::json::object& request) {
  auto* operation = request.if_contains("op");
  return operation != nullptr ? std::string_view{operation->as_string()} : "a request";
}

std::string ending(const std::string& how) {
  return how.starts_with("SIG") ? "its process was ended by " + how
                                : "its process left (" + how + ") before it answered";
}

} // namespace

worker_process::worker_process(worker_handles handles)
  : handles_(std::move(handles)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  ::fcntl(handles_.output.get(), F_SETFL, O_NONBLOCK);
  // A worker that cannot be told is dead, which the first call will see.
  std::ignore = handles_.requests.send({{"key", seal_.key_text()}});
}

worker_process::~worker_process() {
  kill();
  readable(handles_.pidfd.get(), end_limit);
}

// -- calls ------------------------------------------------------------------------------

reply worker_process::call(boost::json::object request, std::span<const int> fds,
                           std::chrono::milliseconds limit) {
  if (end_)
    return reply::failed(*end_);
  request["id"] = ++last_id_;
  {
    std::lock_guard guard{mutex_};
    watch_.start(stopwatch::clock::now());
    cpu_at_start_ = cpu_seconds_;
    cpu_at_look_ = never;
    asked_ = last_id_;
  }
  auto result = ask(request, fds, limit);
  std::lock_guard guard{mutex_};
  asked_ = 0;
  if (!given_up_.empty()) {
    end_ = failure{outcome::timed_out, given_up_, given_up_, std::nullopt};
    result = reply::failed(*end_);
  }
  auto now = stopwatch::clock::now();
  result.wall = seconds{watch_.elapsed(now)}.count();
  result.frozen = seconds{watch_.paused_for(now)}.count();
  spdlog::trace("worker {}: {} took {:.4f} s, frozen {:.4f} s{}", handles_.group,
                operation_of(request), result.wall, result.frozen, result.ok() ? "" : ", failed");
  return result;
}

reply worker_process::time(boost::json::object request, std::span<const call_guidance> calls,
                           std::chrono::milliseconds limit) {
  request["guided"] = true;
  guidance_ = calls;
  questions_.clear();
  auto begin = stopwatch::clock::now();
  auto result = call(std::move(request), {}, limit);
  guidance_ = {};
  for (auto x : questions_)
    result.questions.push_back(seconds{x - begin}.count());
  return result;
}

// Each call once, and in their order: who asks otherwise gets no answer, and what it wrote is read
// as one.
bool worker_process::guide(const channel_message& message) {
  std::string_view text = message.text;
  auto number = questions_.size();
  if (number >= guidance_.size() || !seal_.open(text)
      || text != fmt::format(R"({{"id":{},"call":{}}})", last_id_, number))
    return false;
  auto& next = guidance_[number];
  questions_.push_back(stopwatch::clock::now());
  // Who cannot be told has gone, which the next look shows.
  std::ignore = handles_.requests.send(
    {{"key", next.key ? next.key->text() : ""}, {"output", name_of(next.output)}});
  return true;
}

reply worker_process::ask(const boost::json::object& request, std::span<const int> fds,
                          std::chrono::milliseconds limit) {
  auto id = last_id_;
  auto allowed = limit;
  if (auto err = handles_.requests.send(request, fds))
    return readable(handles_.pidfd.get(), farewell_limit) // it closes its socket before it is gone
             ? died()
             : lost(outcome::crashed, describe(err));
  for (;;) {
    wait_for_news(allowed);
    drain_output();
    auto message = handles_.requests.receive();
    if (!message)
      return readable(handles_.pidfd.get(), farewell_limit)
               ? killed_from_outside()
               : lost(outcome::crashed, describe(message.error()));
    if (*message && guide(**message))
      continue;
    if (*message)
      return take(std::move(**message), id);
    if (!alive())
      return died();
    if (!overdue(allowed))
      continue;
    if (allowed < most_patience * limit && lacks_cores(limit))
      allowed += look_after;
    else
      return lost(outcome::timed_out,
                  "no answer within its limit of " + std::to_string(limit.count()) + " ms");
  }
}

reply worker_process::take(channel_message message, std::uint64_t id) {
  if (auto end = parse_farewell(message.text)) {
    if (ran_out_of_memory())
      return lost(outcome::out_of_memory, together_too_much);
    // Whoever forges a farewell is alive, and so is his init.
    return end->of_init && !alive() ? killed_from_outside()
                                    : lost(outcome::crashed, ending(end->how));
  }
  std::string_view text = message.text;
  auto result = seal_.open(text)
                  ? reply::parse(text, id, std::move(message.fds))
                  : reply::refused("forged-reply", "an answer came that the evaluator's own code "
                                                   "did not write");
  drain_output();
  if (!result.is_answer()) { // whatever comes next would be taken for an answer to something else
    kill();
    end_ = result.problem();
  }
  return result;
}

// The worker is of no use any more.
reply worker_process::lost(outcome how, std::string why) {
  drain_output();
  cpu_seconds();
  kill();
  end_ = failure{how, why, why, std::nullopt};
  return reply::failed(*end_);
}

// Its guard or its init is gone, which inside a whole sandbox nobody can reach.
reply worker_process::killed_from_outside() {
  if (ran_out_of_memory())
    return lost(outcome::out_of_memory, together_too_much);
  auto ignored = lost(outcome::crashed, "its process ended");
  end_->from_outside = true;
  return reply::failed(*end_);
}

// The sandbox has ended; its guard is about to say how.
reply worker_process::died() {
  auto message = handles_.requests.receive_within(farewell_limit);
  if (!message)
    return killed_from_outside();
  return take(std::move(*message), last_id_);
}

bool worker_process::ran_out_of_memory() const {
  return handles_.together && handles_.together->ran_out_of_memory();
}

void worker_process::wait_for_news(std::chrono::milliseconds limit) {
  auto left = 1000ms;
  {
    std::lock_guard guard{mutex_};
    auto spent = watch_.elapsed(stopwatch::clock::now());
    if (!watch_.paused())
      left = std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(limit - spent));
  }
  std::array<pollfd, 4> ready{{{handles_.requests.fd(), POLLIN, 0},
                               {handles_.output.get(), POLLIN, 0},
                               {handles_.pidfd.get(), POLLIN, 0},
                               {wake_.get(), POLLIN, 0}}};
  ::poll(ready.data(), ready.size(), static_cast<int>(left.count()));
  std::uint64_t count = 0;
  [[maybe_unused]] auto woken = ::read(wake_.get(), &count, sizeof(count));
}

// Reads what there is, at most a megabyte, so that no flood of output holds up a deadline.
void worker_process::drain_output() {
  std::array<char, 64 * 1024> chunk;
  for (int i = 0; i < 16; ++i) {
    auto size = ::read(handles_.output.get(), chunk.data(), chunk.size());
    if (size == 0)
      handles_.output.reset(); // closed; poll takes no notice of it from now on
    if (size <= 0)
      return;
    output_tail_.append(chunk.data(), static_cast<std::size_t>(size));
    if (output_tail_.size() > tail_size)
      output_tail_.erase(0, output_tail_.size() - tail_size);
  }
}

bool worker_process::overdue(std::chrono::milliseconds limit) const {
  std::lock_guard guard{mutex_};
  return !watch_.paused() && watch_.elapsed(stopwatch::clock::now()) >= limit;
}

bool worker_process::lacks_cores(std::chrono::milliseconds limit) {
  auto now = cpu_seconds();
  auto before = std::exchange(cpu_at_look_, now);
  return now - before > least_work && now - cpu_at_start_ < most_work * seconds{limit}.count();
}

void worker_process::wake() {
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_.get(), &one, sizeof(one));
}

// -- from any thread --------------------------------------------------------------------

void worker_process::freeze() {
  {
    std::lock_guard guard{mutex_};
    watch_.pause(stopwatch::clock::now());
    if (alive())
      ::kill(-handles_.group, SIGSTOP);
    if (handles_.together) // nothing inside ends this one
      handles_.together->freeze();
  }
  wake();
}

void worker_process::thaw() {
  {
    std::lock_guard guard{mutex_};
    if (handles_.together)
      handles_.together->thaw();
    if (alive())
      ::kill(-handles_.group, SIGCONT);
    watch_.resume(stopwatch::clock::now());
  }
  wake();
}

void worker_process::kill() {
  if (handles_.together)
    handles_.together->kill();
  // While the init lives its group's number cannot have gone to anybody else. With a pid namespace
  // the death of the init is the death of all; without one it takes the group.
  if (!alive())
    return;
  ::kill(-handles_.group, SIGKILL);
  ::syscall(SYS_pidfd_send_signal, handles_.pidfd.get(), SIGKILL, nullptr, 0);
}

void worker_process::give_up(std::string why) {
  {
    std::lock_guard guard{mutex_};
    given_up_ = std::move(why);
  }
  kill();
}

std::optional<call_progress> worker_process::progress() const {
  std::lock_guard guard{mutex_};
  if (asked_ == 0)
    return std::nullopt;
  return call_progress{asked_, watch_.elapsed(stopwatch::clock::now())};
}

bool worker_process::usable() const {
  return !end_ && alive();
}

bool worker_process::alive() const {
  return !readable(handles_.pidfd.get(), 0ms);
}

double worker_process::cpu_seconds() {
  auto seen = group_cpu_seconds(handles_.group);
  std::lock_guard guard{mutex_};
  cpu_seconds_ = std::max(cpu_seconds_, seen);
  return cpu_seconds_;
}

} // namespace lathe::gpu
