#pragma once

#include <chrono>

namespace lathe::cli {

/// Turns Ctrl-C and SIGTERM into something to wait for. Make it before any thread is started: they
/// inherit that the signals do not interrupt them.
class interrupts {
public:
  interrupts();

  /// Waits until a signal came or `limit` is over. Returns how many came so far.
  int wait(std::chrono::milliseconds limit);

  int count() const {
    return count_;
  }

private:
  int count_ = 0;
};

} // namespace lathe::cli
