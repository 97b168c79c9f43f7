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
    if (auto problem = recording->append(exchange))
      log()->error("an exchange is not recorded: {}", describe(problem));
    done(std::move(x));
  };
  auto hear = [done](const header_map& headers) { done.hear(headers); };
  asked_->ask(question, completion{std::move(record), std::move(hear)});
}

} // namespace lathe::llm_clients
