#pragma once

#include <chrono>
#include <optional>

namespace lathe::gpu {

/// Measures time without the spells in which it was paused. Pure: the caller says what time it is.
class stopwatch {
public:
  using clock = std::chrono::steady_clock;

  void start(clock::time_point now);

  /// Pausing twice is pausing once.
  void pause(clock::time_point now);

  void resume(clock::time_point now);

  bool paused() const {
    return paused_since_.has_value();
  }

  /// Returns the time since `start`, without pauses.
  clock::duration elapsed(clock::time_point now) const;

  /// Returns the time since `start` that was spent in pauses.
  clock::duration paused_for(clock::time_point now) const;

private:
  clock::time_point started_;
  clock::duration paused_for_{0}; // pauses that are over
  std::optional<clock::time_point> paused_since_;
};

} // namespace lathe::gpu
