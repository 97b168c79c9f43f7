#pragma once

#include "llm_clients/provider.hpp"
#include "messages/topology.hpp"

#include <simdjson.h>

#include <chrono>
#include <ctime>
#include <map>
#include <string>
#include <string_view>

// What servers say when they do not answer, and what that means. Pure.

namespace lathe::llm_clients {

/// What a server says about a failure.
struct complaint {
  std::string code;    ///< one word
  std::string message; ///< for people
  std::chrono::milliseconds retry_after{0}; ///< where the body asks for it, as Google's does
};

/// Reads what is in a body, or in the data of an event. The usual shape is {"error": {"message",
/// "code"}}; others say {"error": "..."}, {"message": ...} or {"detail": ...}.
complaint complaint_in(const std::string& body);
complaint complaint_in(simdjson::dom::element root);

/// Returns the failure that an HTTP status means, together with what was said.
failure failure_of(const model_config& model, unsigned status, const complaint& said,
                   const std::map<std::string, std::string>& headers = {});

/// Returns the failure that an error means which came with status 200, in a body or in a stream.
failure failure_within(const model_config& model, simdjson::dom::element root);

/// A server gave something that is no answer. It may be on the bill.
/// @param what completes "the server answered ..."
failure nonsense(const model_config& model, std::string_view what);

bool looks_like_html(std::string_view body);

/// Returns the first of a text, at most 1 KiB, in one line of characters that can be printed. Where
/// it is no text, this says how many bytes it has.
std::string quote(std::string_view text);

/// Returns how long a server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a
/// date, which `now` [seconds since the epoch] turns into a duration. Zero when it does not ask, or
/// for more than a week.
std::chrono::milliseconds retry_after(const std::map<std::string, std::string>& headers,
                                      std::time_t now);

} // namespace lathe::llm_clients
