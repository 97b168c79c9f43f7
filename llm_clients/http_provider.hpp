#pragma once

#include "llm_clients/http_client.hpp"
#include "llm_clients/protocol.hpp"
#include "llm_clients/provider.hpp"
#include "messages/topology.hpp"

#include <caf/expected.hpp>

namespace lathe::llm_clients {

/// Asks a server, in the protocol of the model's provider.
class http_provider : public provider {
public:
  /// Fails when the model's base_url or key cannot be used, or the proxy that `environment` names
  /// for it.
  static caf::expected<std::unique_ptr<provider>>
  make(model_config model, std::shared_ptr<http_client> client, const variable_lookup& environment);

  void ask(const llm_request& question, completion done) override;

private:
  struct endpoint;
  class call;

  http_provider(std::shared_ptr<const endpoint> at, std::shared_ptr<http_client> client);

  std::shared_ptr<const endpoint> at_;
  std::shared_ptr<http_client> client_;
};

} // namespace lathe::llm_clients
