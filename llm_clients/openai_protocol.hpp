#pragma once

#include "llm_clients/http_message.hpp"
#include "llm_clients/provider.hpp"
#include "messages/topology.hpp"

#include <chrono>
#include <ctime>
#include <map>
#include <string>

// OpenAI's chat completions, as OpenAI and the many servers that copy it speak them. Pure.

namespace lathe::llm_clients {

/// Returns the body of a request. What the topology leaves open is left out: some models reject a
/// parameter at any value.
std::string make_body(const model_config& model, const llm_request& question);

/// Reads a response: the answer with its cost, or what went wrong, in a sentence that quotes at
/// most 1 KiB of what the server said. Seconds are left at zero.
reply parse_response(const model_config& model, const llm_request& question,
                     const http_response& response);

/// Returns how long a server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a
/// date, which `now` [seconds since the epoch] turns into a duration. Zero when it does not ask.
std::chrono::milliseconds retry_after(const std::map<std::string, std::string>& headers,
                                      std::time_t now);

} // namespace lathe::llm_clients
