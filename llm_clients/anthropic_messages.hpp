#pragma once

#include "llm_clients/protocol.hpp"

namespace lathe::llm_clients {

/// Anthropic's messages, of version 2023-06-01.
extern const protocol anthropic_messages;

} // namespace lathe::llm_clients
