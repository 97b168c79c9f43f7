#pragma once

#include "llm_clients/cancellation.hpp"
#include "llm_clients/proxy.hpp"
#include "llm_clients/secret.hpp"
#include "llm_clients/url.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace lathe::llm_clients {

/// Of a response, names in lower case.
using header_map = std::map<std::string, std::string>;

/// Takes a part of a body as it comes; returns whether more is wanted.
using part_handler = std::function<bool(std::string_view)>;

/// A POST of JSON. HTTP is only spoken to LLM servers here, so it is no more general than that.
struct http_request {
  url server;
  std::optional<proxy> via; ///< nothing: the server is asked directly
  std::string path; ///< in full, with what `server.path` has
  secret key;       ///< empty: none is sent
  std::string key_header = "Authorization"; ///< where the key goes; "Bearer" is put before it there
  std::map<std::string, std::string> headers; ///< besides those that every request has
  std::string body;
  std::chrono::milliseconds timeout{600'000}; ///< from `send` to the last byte
  std::chrono::milliseconds connect{10'000};  ///< for the name, each address and TLS, each
  /// From the last byte of the request to the first of an answer; nothing: as long as `timeout`.
  std::optional<std::chrono::milliseconds> first_byte;
  std::chrono::milliseconds idle{180'000};           ///< between two parts of a body
  std::function<void(const header_map&)> on_headers; ///< as soon as they are there; may be empty
  std::shared_ptr<cancellation> cancelled; ///< closes the connection when cancelled; may be empty
  part_handler on_part; ///< takes a body that is an event stream; empty: it is asked for whole
};

struct http_response {
  unsigned status = 0;
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body;                           ///< empty when it was streamed
  bool streamed = false;                      ///< all parts went to `on_part`
};

/// Why there is no response.
struct http_failure {
  std::string sentence;
  bool sent = false;      ///< the whole request went out before it failed
  bool permanent = false; ///< somebody has to mend it: a certificate that does not hold, say
};

using http_result = std::variant<http_response, http_failure>;
using http_handler = std::function<void(http_result)>;

/// How much a client takes, and how many connections it has.
struct http_limits {
  std::chrono::milliseconds pooled{30'000}; ///< an unused connection is kept this long
  std::chrono::milliseconds swept{5'000};   ///< how often those are looked for that are of no use
  std::size_t max_body = 32u << 20;         ///< [bytes]
  std::size_t connections = 100'000; ///< to one server at once; models have their own limits
  std::size_t unused = 1'000;        ///< to one server, kept open for the next requests
};

} // namespace lathe::llm_clients
