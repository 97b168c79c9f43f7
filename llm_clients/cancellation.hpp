#pragma once

#include <functional>
#include <mutex>

namespace lathe::llm_clients {

/// Says that nobody waits for an answer any more. Who asks and who answers share one; usable from
/// any thread.
class cancellation {
public:
  /// Cancels, once; from then on it stays so.
  void cancel();

  bool cancelled() const;

  /// Has `f` called when this is cancelled, in the thread that cancels; at once when it already is.
  /// The last `f` counts. It must not cancel, and should own nothing that owns this.
  void on_cancel(std::function<void()> f);

private:
  mutable std::mutex mutex_; // guards what follows
  bool cancelled_ = false;
  std::function<void()> tell_;
};

} // namespace lathe::llm_clients
