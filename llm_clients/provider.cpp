#include "llm_clients/provider.hpp"

#include <atomic>

namespace lathe::llm_clients {

struct completion::state {
  state(std::function<void(reply)> f, std::function<void(const header_map&)> g)
    : deliver(std::move(f)), hear(std::move(g)) {
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
  std::atomic<bool> given = false;
};

completion::completion(std::function<void(reply)> deliver,
                       std::function<void(const header_map&)> hear)
  : state_(std::make_shared<state>(std::move(deliver), std::move(hear))) {
  // nop
}

void completion::operator()(reply x) const {
  state_->give(std::move(x));
}

void completion::hear(const header_map& headers) const {
  if (state_->hear)
    state_->hear(headers);
}

provider::~provider() {
  // nop
}

} // namespace lathe::llm_clients
