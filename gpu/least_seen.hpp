#pragma once

#include <atomic>

namespace lathe::gpu {

/// The least of all that was noted so far. Safe to use from any thread.
class least_seen {
public:
  /// @param value more than zero
  void note(double value) {
    auto known = value_.load();
    while ((known == 0 || value < known) && !value_.compare_exchange_weak(known, value))
      ;
  }

  /// Returns zero before the first.
  double value() const {
    return value_;
  }

private:
  std::atomic<double> value_ = 0;
};

} // namespace lathe::gpu
