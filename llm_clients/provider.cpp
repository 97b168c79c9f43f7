#include "llm_clients/provider.hpp"

#include <atomic>

namespace lathe::llm_clients {

struct completion::state {
  explicit state(std::function<void(reply)> f) : deliver(std::move(f)) {
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
  std::atomic<bool> given = false;
};

completion::completion(std::function<void(reply)> deliver)
  : state_(std::make_shared<state>(std::move(deliver))) {
  // nop
}

void completion::operator()(reply x) const {
  state_->give(std::move(x));
}

provider::~provider() {
  // nop
}

} // namespace lathe::llm_clients
