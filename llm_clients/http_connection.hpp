#pragma once

#include "llm_clients/http_message.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace lathe::llm_clients {

/// One connection to one server, perhaps through a proxy, and the exchange on it. The methods are
/// the protocol, in order. Lives on the I/O thread alone.
class http_connection : public std::enable_shared_from_this<http_connection> {
public:
  using clock = std::chrono::steady_clock;

  http_connection(boost::asio::io_context& io, boost::asio::ssl::context& tls, url server,
                  std::optional<proxy> via, const http_limits& limits);

  /// Sends `request` and calls `done` once, by `until` at the latest. One exchange at a time.
  void send(const http_request& request, clock::time_point until, http_handler done);

  /// Ends the exchange that this belongs to, if it is under way.
  void cancel(const cancellation& of);

  /// Whether another exchange can go over this connection: the server has left it open and silent,
  /// and it has not been unused for too long.
  bool reusable();

private:
  using parser = boost::beast::http::response_parser<boost::beast::http::string_body>;
  using error_code = boost::beast::error_code;
  using endpoint = boost::asio::ip::tcp::endpoint;

  // -- the protocol -------------------------------------------------------------------

  void resolve();
  void connect();
  void ask_for_tunnel();
  void read_tunnel_answer();
  void handshake();
  void write();
  void read_header();
  void read_next_header();
  void skip_announcement(const std::function<void()>& read_on);
  void read_body();
  bool hand_over();
  void stop();
  void finish();

  // -- its ends -----------------------------------------------------------------------

  // Sets the time by which the present step must end, the whole exchange's at the latest. `what`
  // completes "HOST ...", or "the proxy ...".
  void expect_within(std::chrono::milliseconds limit, const char* what);

  // One timer is under way at most: parts come much more often than it goes off.
  void watch_deadline();
  void miss_deadline();
  std::string speaker() const;
  void fail(const std::string& what, bool permanent = false);
  void fail(const std::string& what, error_code code);
  void deliver(http_result result);
  void close();

  // Calls `f` with the TLS stream or with the TCP stream below it.
  template <class F>
  void with_stream(F f) {
    if (server_.tls)
      f(stream_);
    else
      f(stream_.next_layer());
  }

  // Wraps what takes a step's results: it is not called once the connection is closed.
  template <class... Results, class F>
  auto step(F f) {
    return [self = shared_from_this(), f](error_code code, const Results&... results) {
      if (!self->closed_)
        f(code, results...);
    };
  }

  url server_;
  std::optional<proxy> via_;
  http_limits limits_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::beast::ssl_stream<boost::beast::tcp_stream> stream_;
  boost::asio::steady_timer deadline_;
  boost::beast::flat_buffer buffer_;
  boost::beast::http::request<boost::beast::http::string_body> request_;
  std::optional<parser> parser_;
  std::function<void(const header_map&)> on_headers_;
  part_handler on_part_;
  std::shared_ptr<cancellation> cancelled_; // of the exchange under way
  http_handler done_;
  clock::time_point until_; // the exchange must end
  clock::time_point step_until_;
  std::chrono::milliseconds step_limit_{0};
  const char* step_what_ = "";
  bool watching_ = false;
  std::vector<endpoint> addresses_;      // that are still to be tried, the next one first
  std::chrono::milliseconds timeout_{0}; // what `until_` came from, for people
  std::chrono::milliseconds connect_{0};
  std::optional<std::chrono::milliseconds> first_byte_;
  int announced_ = 0; // heads of status 1xx before that of the answer
  std::chrono::milliseconds idle_{0};
  clock::time_point last_used_;
  bool through_ = false; // what comes from now on is the server's, not its proxy's
  bool connected_ = false;
  bool sent_ = false;
  bool streamed_ = false;
  bool closed_ = false; // for good; late results of what was under way are ignored
};

} // namespace lathe::llm_clients
