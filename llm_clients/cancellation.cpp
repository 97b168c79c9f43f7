#include "llm_clients/cancellation.hpp"

#include <utility>

namespace lathe::llm_clients {

void cancellation::cancel() {
  std::function<void()> tell;
  {
    std::lock_guard guard{mutex_};
    if (std::exchange(cancelled_, true))
      return;
    tell = std::exchange(tell_, nullptr);
  }
  if (tell)
    tell();
}

bool cancellation::cancelled() const {
  std::lock_guard guard{mutex_};
  return cancelled_;
}

void cancellation::on_cancel(std::function<void()> f) {
  {
    std::lock_guard guard{mutex_};
    if (!cancelled_) {
      tell_ = std::move(f);
      return;
    }
  }
  f();
}

} // namespace lathe::llm_clients
