#pragma once

#include "llm_clients/protocol.hpp"

namespace lathe::llm_clients {

/// Google's generateContent, of v1beta.
extern const protocol gemini_content;

} // namespace lathe::llm_clients
