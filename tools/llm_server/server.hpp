#pragma once

#include "tools/llm_server/options.hpp"
#include "tools/llm_server/worker.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lathe::llm_server {

/// Accepts connections on 127.0.0.1 and spreads them over its threads, one after the other. A
/// connection stays with its thread, and the threads share no more than the responder.
class server {
public:
  explicit server(const options& x);

  /// Takes the certificate, if there is one, and the port. What is wrong, if something is.
  std::optional<mistake> open(const options& x);

  /// "http://127.0.0.1:PORT", or https.
  std::string url() const;

  /// Serves until SIGINT or SIGTERM.
  void run();

  /// What it did, as a JSON object in one line. For after `run`.
  std::string report() const;

private:
  void accept();
  void stop();

  responder answers_;
  connection_gauge connections_;
  std::optional<boost::asio::ssl::context> tls_;
  std::vector<std::unique_ptr<worker>> workers_; // the first accepts
  std::size_t next_ = 0;                         // worker, that gets a connection
  std::optional<boost::asio::ip::tcp::acceptor> acceptor_;
  std::optional<boost::asio::steady_timer> pause_; // until there are file descriptors again
  std::optional<boost::asio::signal_set> signals_;
};

} // namespace lathe::llm_server
