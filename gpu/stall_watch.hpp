#pragma once

#include "gpu/processes/worker_process.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

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
    call_progress call;
    std::uint64_t page_faults = 0; ///< of the process and its children since they began
  };

  /// Tells of a look at a device that does not come to rest although everybody is frozen.
  /// @param sights the calls that are under way, all of them
  /// @return whose call has come no further for `longest`, from one such look to another, and
  ///         nobody found the device at rest between them
  std::vector<worker_process*> look(const std::vector<sight>& sights) {
    std::map<worker_process*, sight> waiting;
    std::vector<worker_process*> result;
    for (auto& now : sights) {
      auto found = waiting_.find(now.process);
      auto waits = found != waiting_.end() && found->second.call.number == now.call.number
                   && now.page_faults <= found->second.page_faults + most_page_faults;
      auto& since = waiting.emplace(now.process, waits ? found->second : now).first->second;
      if (now.call.ran - since.call.ran >= longest)
        result.push_back(now.process);
    }
    waiting_.swap(waiting);
    return result;
  }

  /// The device came to rest.
  void forget() {
    waiting_.clear();
  }

private:
  std::map<worker_process*, sight> waiting_; // as they were when they began to wait
};

} // namespace lathe::gpu
