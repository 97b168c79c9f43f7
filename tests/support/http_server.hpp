#pragma once

#include "tests/support/certificate.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lathe::test {

/// What the server does with one request.
struct scripted_reply {
  /// How the reply ends once its bytes are out.
  enum class ending {
    keep_alive,
    close, ///< in an orderly way
    reset, ///< with a TCP reset
  };

  unsigned status = 200;
  std::string body;
  std::map<std::string, std::string> headers;
  ending end = ending::keep_alive;
  std::chrono::milliseconds delay{0}; ///< before the first byte
  std::chrono::milliseconds pause{0}; ///< before each byte of the body, which then go one by one
  std::size_t cut =
    std::numeric_limits<std::size_t>::max(); ///< so many bytes go out, head included
  bool chunked = false;                      ///< the body is in chunks already
  std::string raw;                           ///< sent instead of head and body when not empty
  bool tunnel = false; ///< to CONNECT: afterwards bytes go to the target and back, untouched
};

/// What a proxy says to CONNECT when it does as it is told.
scripted_reply tunnel();

/// A request as it came in. Header names are in lower case.
struct recorded_call {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;
  std::string body;
  std::size_t connection = 0; ///< from 1, in the order in which they were accepted
};

/// A real HTTP server on a free port of 127.0.0.1, with TLS when it has a certificate. Gives the
/// scripted replies in order, and 500 when they are used up.
class http_server {
public:
  explicit http_server(std::optional<certificate> tls = std::nullopt);

  http_server(const http_server&) = delete;

  http_server& operator=(const http_server&) = delete;

  ~http_server();

  void reply(scripted_reply x);

  /// "http://HOST:PORT/v1", or https.
  std::string base_url(const std::string& host = "127.0.0.1") const;

  std::uint16_t port() const;

  std::vector<recorded_call> calls() const;

  /// Waits until the server has closed as many connections, or reset them. On the loopback
  /// interface the client's socket knows at once.
  void wait_until_closed(std::size_t connections) const;

  /// Waits until the server has found out that as many connections were closed by their clients.
  void wait_until_left(std::size_t connections) const;

private:
  struct implementation;
  std::unique_ptr<implementation> impl_;
};

} // namespace lathe::test
