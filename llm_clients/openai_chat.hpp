#pragma once

#include "llm_clients/protocol.hpp"

namespace lathe::llm_clients {

/// OpenAI's chat completions, as OpenAI and the many servers that copy it speak them.
extern const protocol openai_chat;

} // namespace lathe::llm_clients
