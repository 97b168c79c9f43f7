#pragma once

#include "llm_clients/http_message.hpp"

#include <caf/expected.hpp>

#include <memory>
#include <string>

namespace lathe::llm_clients {

class io_thread;

/// Sends requests over connections that are kept alive and bounded in number per server. TLS
/// certificates are always verified. Usable from any thread; handlers run on the I/O thread.
class http_client {
public:
  /// `ca_file` names certificates (PEM) that are trusted besides the system's; may be empty.
  /// OpenSSL's SSL_CERT_FILE and SSL_CERT_DIR are respected.
  static caf::expected<std::unique_ptr<http_client>>
  make(std::shared_ptr<io_thread> io, http_limits limits = {}, const std::string& ca_file = {});

  ~http_client();

  /// Calls `done` once. When the I/O thread ends before, `done` is destroyed without a call.
  void send(http_request request, http_handler done);

private:
  struct pool;

  http_client(std::shared_ptr<io_thread> io, std::shared_ptr<pool> connections);

  std::shared_ptr<io_thread> io_; // before pool_: sockets need their io_context
  std::shared_ptr<pool> pool_;
};

} // namespace lathe::llm_clients
