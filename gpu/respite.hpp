#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

namespace lathe::gpu {

/// The time that others are given to get on with their work, when a device did not come to rest for
/// somebody who wanted to time on it: whoever wants to next waits for its end. It is twice as long
/// each time, until somebody finds the device at rest. Safe to use from any thread.
class respite {
public:
  using clock = std::chrono::steady_clock;

  static constexpr clock::duration shortest = std::chrono::seconds{2};
  static constexpr clock::duration longest = std::chrono::seconds{32};

  void begin(clock::time_point now = clock::now()) {
    std::lock_guard guard{mutex_};
    length_ = std::clamp(2 * length_, shortest, longest);
    end_ = now + length_;
  }

  /// The device came to rest.
  void forget() {
    std::lock_guard guard{mutex_};
    length_ = {};
  }

  clock::time_point end() const {
    std::lock_guard guard{mutex_};
    return end_;
  }

  bool lasts() const {
    return clock::now() < end();
  }

  /// Returns when it is over, or soon after `stops` says so; at once where there is none.
  template <class Predicate>
  void wait(Predicate stops) const {
    while (lasts() && !stops())
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }

private:
  mutable std::mutex mutex_; // guards what follows
  clock::time_point end_;
  clock::duration length_{};
};

} // namespace lathe::gpu
