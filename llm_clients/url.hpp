#pragma once

#include <caf/expected.hpp>

#include <string>
#include <string_view>

namespace lathe::llm_clients {

/// Where an HTTP server is.
struct url {
  bool tls = true;
  std::string host; ///< without brackets, also for IPv6
  std::string port;
  std::string path; ///< without a slash at its end; may be empty

  /// Names the server for people and in the Host header: the port only where it is not the
  /// scheme's.
  std::string authority() const;

  /// The same with the port in any case, as CONNECT wants it.
  std::string host_and_port() const;
};

/// Reads `https://host[:port][/path]`, or the same with `http`.
caf::expected<url> parse_url(std::string_view text);

} // namespace lathe::llm_clients
