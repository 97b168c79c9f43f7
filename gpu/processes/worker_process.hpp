#pragma once

#include "gpu/processes/call_guidance.hpp"
#include "gpu/processes/cgroup.hpp"
#include "gpu/processes/channel.hpp"
#include "gpu/processes/reply.hpp"
#include "gpu/processes/reply_seal.hpp"
#include "gpu/processes/stopwatch.hpp"
#include "messages/unique_fd.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lathe::gpu {

/// What a warm process hands out for one worker.
struct worker_handles {
  channel requests;
  unique_fd output;                 ///< read end of its standard output and error
  unique_fd pidfd;                  ///< of the sandbox's init; readable once all inside is gone
  pid_t group = 0;                  ///< process group, led by the guard
  std::vector<std::string> missing; ///< parts of the sandbox that the host refuses
  std::unique_ptr<cgroup> together; ///< holds all in the sandbox; none where the host refuses it
};

/// How far a call has come, for those who ask whether anything goes on in it.
struct call_progress {
  std::uint64_t number = 0;         ///< the worker's first call is 1
  stopwatch::clock::duration ran{}; ///< without what was spent frozen
};

/// A process that runs foreign code for us. Ends with this object.
/// One thread at a time calls; the functions under "from any thread" may interrupt it.
class worker_process {
public:
  explicit worker_process(worker_handles handles);
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;

  /// Kills everything in the sandbox and waits until it is gone.
  ~worker_process();

  /// Asks and waits for the answer; drains what the worker prints meanwhile. A worker that needs
  /// longer than `limit`, not counting time spent frozen, is killed; one that works, but gets
  /// little of a busy host's cores, has up to four times as long. Whatever goes wrong is a reply
  /// that is not ok; after a death or a lapse from the protocol every later call fails the same
  /// way.
  reply call(boost::json::object request, std::span<const int> fds,
             std::chrono::milliseconds limit);

  /// The same for a block of timed calls (`time`), each of which asks for its guidance just before
  /// it: what they get and what becomes of it is not in the process until then. The reply says when
  /// they asked.
  reply time(boost::json::object request, std::span<const call_guidance> calls,
             std::chrono::milliseconds limit);

  /// Whether the next call may succeed: nothing has ended it, and no call was its last.
  bool usable() const;

  /// The last of what the worker printed.
  const std::string& output_tail() const {
    return output_tail_;
  }

  const std::vector<std::string>& missing() const {
    return handles_.missing;
  }

  // -- from any thread ------------------------------------------------------------------

  /// Stops every process of the worker, and the clock of the call under way.
  void freeze();

  void thaw();

  /// Ends the call under way at once; it fails as `crashed`.
  void kill();

  /// The same for a reason that is the worker's own: the call fails as `timed_out`.
  void give_up(std::string why);

  /// Of the call under way; nothing between calls.
  std::optional<call_progress> progress() const;

  bool alive() const;

  /// CPU time [seconds] of all processes of the worker, as far as it was last seen.
  double cpu_seconds();

  pid_t group() const {
    return handles_.group;
  }

private:
  reply ask(const boost::json::object& request, std::span<const int> fds,
            std::chrono::milliseconds limit);
  reply take(channel_message message, std::uint64_t id);

  /// Answers a timed call that asks for its guidance. Returns false for any other message.
  bool guide(const channel_message& message);
  reply lost(outcome how, std::string why);
  reply died();
  reply killed_from_outside();
  bool ran_out_of_memory() const;
  void wait_for_news(std::chrono::milliseconds limit);
  void drain_output();
  bool overdue(std::chrono::milliseconds limit) const;

  /// Whether it has used CPU time since the last look, and much less than its limit so far.
  bool lacks_cores(std::chrono::milliseconds limit);
  void wake();

  worker_handles handles_;
  reply_seal seal_ = reply_seal::random();
  unique_fd wake_; // eventfd: the clock was paused, or goes on
  std::string output_tail_;
  std::optional<failure> end_; // why no call can succeed any more
  std::uint64_t last_id_ = 0;
  std::span<const call_guidance> guidance_; // of the block under way
  std::vector<stopwatch::clock::time_point> questions_; // that were answered
  double cpu_at_start_ = 0; // [seconds] of the latest call
  double cpu_at_look_ = 0;  // [seconds] when it was last found to be late

  mutable std::mutex mutex_; // guards what follows
  stopwatch watch_;
  double cpu_seconds_ = 0;
  std::uint64_t asked_ = 0; // the call under way; 0: none
  std::string given_up_;    // why, where it was
};

} // namespace lathe::gpu
