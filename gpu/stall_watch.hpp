#pragma once

#include "gpu/processes/worker_process.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include <sys/types.h>

namespace lathe::gpu {

/// Tells a kernel that does not end from processes that are busy. A device cannot be asked whose
/// kernel it is that runs on and on. But who waits for a kernel does nothing else, while a process
/// that compiles, loads or tunes touches new memory all the time. Pure; not safe to use from
/// several threads.
class stall_watch {
public:
  /// What a call may wait for its kernels while others cannot use the device for that. Autotuners
  /// have been seen to wait for a second.
  static constexpr auto longest = std::chrono::seconds{12};

  /// In this time, of a process that only waits. Any compiler has thousands in a second.
  static constexpr std::uint64_t most_page_faults = 16;

  struct sight {
    worker_process* process = nullptr;
    pid_t group = 0;
    call_progress call;
    std::uint64_t page_faults = 0; ///< of the process and its children since they began
  };

  /// Tells of a look at a device that does not come to rest although everybody is frozen.
  /// @param sights the calls that are under way, all of them
  /// @return whose call has come no further for `longest`, from one such look to another, while
  ///         nobody found the device at rest between them: of several the one that has waited most;
  ///         nullptr if there is none
  worker_process* look(const std::vector<sight>& sights) {
    std::map<pid_t, sight> waiting;
    worker_process* result = nullptr;
    stopwatch::clock::duration most{};
    for (auto& now : sights) {
      auto found = waiting_.find(now.group);
      auto waits = found != waiting_.end() && continues(found->second, now);
      auto& since = waiting.emplace(now.group, waits ? found->second : now).first->second;
      auto waited = now.call.ran - since.call.ran;
      if (waited >= longest && (result == nullptr || waited > most)) {
        most = waited;
        result = now.process;
      }
    }
    waiting_.swap(waiting);
    if (result != nullptr)
      waiting_.clear(); // without it the device may come to rest
    return result;
  }

  /// The device came to rest.
  void forget() {
    waiting_.clear();
  }

private:
  // Nothing is known of a process without any fault, and one that has fewer is another.
  static bool continues(const sight& since, const sight& now) {
    return since.call.number == now.call.number && since.page_faults > 0
           && now.page_faults >= since.page_faults
           && now.page_faults <= since.page_faults + most_page_faults;
  }

  std::map<pid_t, sight> waiting_; // by group, as they were when they began to wait
};

} // namespace lathe::gpu
