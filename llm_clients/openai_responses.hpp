#pragma once

#include "llm_clients/protocol.hpp"

namespace lathe::llm_clients {

/// OpenAI's responses API: what its newer models answer to.
extern const protocol openai_responses;

} // namespace lathe::llm_clients
