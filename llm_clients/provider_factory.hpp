#pragma once

#include "llm_clients/provider.hpp"
#include "llm_clients/proxy.hpp"
#include "messages/topology.hpp"

#include <caf/expected.hpp>

#include <functional>
#include <memory>

namespace lathe::llm_clients {

class cassette_writer;
class playback;

/// Makes the provider that a model asks for.
using provider_factory =
  std::function<caf::expected<std::unique_ptr<provider>>(const model_config&)>;

/// Returns a factory for all kinds of providers. They share one I/O thread, and those with the same
/// `ca_file` one pool of connections, which end with the last of them. `environment` names proxies.
/// A new kind of provider is a file of its own and a line in this function.
provider_factory standard_providers(variable_lookup environment = process_variable);

/// Returns a factory whose providers record each exchange.
provider_factory recording_providers(provider_factory asked,
                                     std::shared_ptr<cassette_writer> recording);

/// Returns a factory whose providers answer from a recording, whatever the model's own provider is.
/// @param pace how long that takes, in recorded times; 0: no time at all
provider_factory replaying_providers(std::shared_ptr<playback> recording, double pace = 0);

/// Checks without a call what can be checked about a model: its URL, key, CA and proxy, or its
/// folder of scripted answers, or its mailbox. For a start that fails early.
caf::error check_model(const model_config& model);

} // namespace lathe::llm_clients
