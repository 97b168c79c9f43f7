#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace lathe::gpu {

/// Room for a number of processes on a device: each has a context and its tensors there. Whoever
/// comes first is served first. Safe to use from any thread.
class seats {
public:
  class seat;

  explicit seats(std::size_t count) : all_(count), free_(count) {
    // nop
  }

  /// Waits until there is room. The result must not outlive this object.
  [[nodiscard]] seat take();

  /// Waits until all others have gone, and keeps them out.
  [[nodiscard]] seat take_all();

  /// How many wait.
  std::size_t waiting() {
    std::lock_guard guard{mutex_};
    return last_ticket_ - served_;
  }

private:
  seat wait_for(std::size_t count);

  const std::size_t all_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::size_t free_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t served_ = 0;
};

/// Gives its room back when it goes.
class seats::seat {
public:
  seat(seats& home, std::size_t count) : home_(&home), count_(count) {
    // nop
  }

  seat(seat&& other) noexcept
    : home_(std::exchange(other.home_, nullptr)), count_(other.count_) {
    // nop
  }

  seat& operator=(seat&& other) noexcept {
    std::swap(home_, other.home_);
    std::swap(count_, other.count_);
    return *this;
  }

  ~seat() {
    if (home_ == nullptr)
      return;
    std::lock_guard guard{home_->mutex_};
    home_->free_ += count_;
    home_->changed_.notify_all();
  }

private:
  seats* home_;
  std::size_t count_;
};

inline seats::seat seats::take() {
  return wait_for(1);
}

inline seats::seat seats::take_all() {
  return wait_for(all_);
}

inline seats::seat seats::wait_for(std::size_t count) {
  std::unique_lock guard{mutex_};
  auto ticket = last_ticket_++;
  changed_.wait(guard, [&] { return served_ == ticket && free_ >= count; });
  ++served_;
  free_ -= count;
  changed_.notify_all();
  return seat{*this, count};
}

} // namespace lathe::gpu
