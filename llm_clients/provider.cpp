#include "llm_clients/provider.hpp"

#include <atomic>

namespace lathe::llm_clients {

struct completion::state {
  state(std::function<void(reply)> f, std::function<void(const header_map&)> g,
        std::shared_ptr<cancellation> c)
    : deliver(std::move(f)), hear(std::move(g)), cancelled(std::move(c)) {
    // nop
  }

  state(const state&) = delete;

  state& operator=(const state&) = delete;

  ~state() {
    give(failure{failure_kind::retry, "the provider dropped the question"});
  }

  void give(reply x) {
    if (!given.exchange(true))
      deliver(std::move(x));
  }

  std::function<void(reply)> deliver;
  std::function<void(const header_map&)> hear;
  std::shared_ptr<cancellation> cancelled;
  std::atomic<bool> given = false;
};

completion::completion(std::function<void(reply)> deliver,
                       std::function<void(const header_map&)> hear,
                       std::shared_ptr<cancellation> cancelled)
  : state_(std::make_shared<state>(std::move(deliver), std::move(hear), std::move(cancelled))) {
  // nop
}

void completion::operator()(reply x) const {
  state_->give(std::move(x));
}

void completion::hear(const header_map& headers) const {
  if (state_->hear)
    state_->hear(headers);
}

const std::shared_ptr<cancellation>& completion::cancelled() const {
  return state_->cancelled;
}

provider::~provider() {
  // nop
}

} // namespace lathe::llm_clients
