#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string_view>

namespace lathe::llm_server {

/// The bytes of one accepted connection, with TLS or without. Never blocks: a call says what to
/// wait for when it cannot go on. OpenSSL works on the socket itself, which spares each connection
/// the buffers that Asio's stream has.
class transport {
public:
  enum class state { done, needs_read, needs_write, closed };

  struct outcome {
    state now = state::done;
    std::size_t bytes = 0;
  };

  /// `tls` is null for plain TCP.
  transport(boost::asio::ip::tcp::socket socket, SSL_CTX* tls);

  state handshake();

  outcome read_some(char* data, std::size_t size);

  outcome write_some(std::string_view bytes);

  /// Says that nothing more will be written.
  void end_writing();

  void close();

  /// Ends the connection in a way that its client reads as an error.
  void reset();

  boost::asio::ip::tcp::socket& socket() {
    return socket_;
  }

private:
  struct free_ssl {
    void operator()(SSL* x) const {
      SSL_free(x);
    }
  };

  outcome of_socket(ssize_t result, state when_blocked) const;
  outcome of_tls(int result) const;

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<SSL, free_ssl> ssl_;
};

} // namespace lathe::llm_server
