#include "llm_clients/recording_provider.hpp"

#include "llm_clients/log.hpp"
#include "messages/error.hpp"

#include <spdlog/spdlog.h>

namespace lathe::llm_clients {

recording_provider::recording_provider(std::unique_ptr<provider> asked,
                                       std::shared_ptr<cassette_writer> recording)
  : asked_(std::move(asked)), recording_(std::move(recording)) {
  // nop
}

void recording_provider::ask(const llm_request& question, completion done) {
  auto record = [exchange = recording_->begin(question), recording = recording_,
                 done](reply x) mutable {
    exchange.outcome = x;
    auto why = std::get_if<failure>(&x);
    auto is_over = why == nullptr || why->kind != failure_kind::wait;
    if (auto problem = is_over ? recording->append(exchange) : caf::error{})
      log()->error("an exchange is not recorded: {}", describe(problem));
    done(std::move(x));
  };
  auto hear = [done](const header_map& headers) { done.hear(headers); };
  asked_->ask(question, completion{std::move(record), std::move(hear), done.cancelled()});
}

} // namespace lathe::llm_clients
