#pragma once

#include "llm_clients/cassette.hpp"
#include "llm_clients/provider.hpp"

#include <memory>

namespace lathe::llm_clients {

/// Asks another provider, and records each exchange before its reply is handed on. An exchange that
/// cannot be written is logged and handed on all the same: it may have been paid for. That a
/// question waits in a mailbox is none.
class recording_provider : public provider {
public:
  recording_provider(std::unique_ptr<provider> asked, std::shared_ptr<cassette_writer> recording);

  void ask(const llm_request& question, completion done) override;

private:
  std::unique_ptr<provider> asked_;
  std::shared_ptr<cassette_writer> recording_;
};

} // namespace lathe::llm_clients
