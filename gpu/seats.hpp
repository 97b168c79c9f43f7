#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

namespace lathe::gpu {

/// Room for a number of candidates on a device: each has a context and its tensors there, from its
/// first call to its end. Safe to use from any thread.
class seats {
public:
  class seat;

  explicit seats(std::size_t count) : free_(count) {
    // nop
  }

  /// Waits until there is room. The result must not outlive this object.
  [[nodiscard]] seat take();

private:
  std::mutex mutex_; // guards what follows
  std::condition_variable freed_;
  std::size_t free_;
};

/// Gives its room back when it goes.
class seats::seat {
public:
  explicit seat(seats& home) : home_(&home) {
    // nop
  }

  seat(seat&& other) noexcept : home_(std::exchange(other.home_, nullptr)) {
    // nop
  }

  seat& operator=(seat&& other) noexcept {
    std::swap(home_, other.home_);
    return *this;
  }

  ~seat() {
    if (home_ == nullptr)
      return;
    std::lock_guard guard{home_->mutex_};
    ++home_->free_;
    home_->freed_.notify_one();
  }

private:
  seats* home_;
};

inline seats::seat seats::take() {
  std::unique_lock guard{mutex_};
  freed_.wait(guard, [this] { return free_ > 0; });
  --free_;
  return seat{*this};
}

} // namespace lathe::gpu
