#pragma once

#include "llm_clients/secret.hpp"
#include "llm_clients/url.hpp"

#include <caf/expected.hpp>

#include <functional>
#include <optional>
#include <string>

namespace lathe::llm_clients {

struct http_failure;

/// Returns the value of an environment variable, or nothing when it is not set.
using variable_lookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Looks a variable up in this process's environment.
std::optional<std::string> process_variable(const std::string& name);

/// An HTTP proxy, reached without TLS.
struct proxy {
  url server;
  std::string variable; ///< which names it: "HTTPS_PROXY"
  secret password;      ///< empty: none
  secret
    credentials; ///< user and password in Base64, as Proxy-Authorization has them; may be empty

  /// Names it for people: "the proxy corp:3128 (HTTPS_PROXY)".
  std::string name() const;
};

/// Decides through which proxy a server is asked; nothing: directly. Pure, and as curl does it:
/// `https_proxy` or `HTTPS_PROXY` for https, `http_proxy` alone for http, unless `no_proxy` or
/// `NO_PROXY` lists the host. Fails with `user_error` when the URL of that proxy cannot be used;
/// the sentence does not quote it.
caf::expected<std::optional<proxy>> proxy_for(const url& server,
                                              const variable_lookup& environment);

/// Returns what it means that a proxy does not let a request through to `server`.
/// @param status of its answer to CONNECT, or 407 to any request
http_failure refused_by(const proxy& x, const url& server, unsigned status);

} // namespace lathe::llm_clients
