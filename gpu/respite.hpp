#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace lathe::gpu {

/// The time that others are given to get on with their work, when a device did not come to rest for
/// somebody who wanted to time on it: whoever wants to next waits for its end. Safe to use from any
/// thread.
class respite {
public:
  using clock = std::chrono::steady_clock;

  void begin(clock::duration length) {
    end_ = clock::now() + length;
  }

  bool lasts() const {
    return clock::now() < end_.load();
  }

  /// Returns when it is over; at once where there is none.
  void wait() const {
    while (lasts())
      std::this_thread::sleep_until(end_.load());
  }

private:
  std::atomic<clock::time_point> end_{clock::time_point{}};
};

} // namespace lathe::gpu
