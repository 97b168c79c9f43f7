#include "llm_clients/http_connection.hpp"

#include "llm_clients/log.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>

namespace lathe::llm_clients {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

using endpoints = asio::ip::tcp::resolver::results_type;

constexpr unsigned max_header = 64u << 10; // [bytes]

constexpr int max_announcements = 20; // of one answer; one or two are usual

// For a step that may take as long as the exchange.
constexpr std::chrono::milliseconds no_limit = std::chrono::hours{24};

bool is_address(const std::string& host) {
  boost::system::error_code code;
  asio::ip::make_address(host, code);
  return !code;
}

std::string what_is_wrong_with_certificate(long verdict) {
  auto unknown = verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
                 || verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
                 || verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
  return fmt::format("has a certificate that does not hold for it: {}{}",
                     X509_verify_cert_error_string(verdict),
                     unknown ? "; an authority of your own is named by the model's ca_file" : "");
}

std::string seconds_of(std::chrono::milliseconds x) {
  return fmt::format("{} s", static_cast<double>(x.count()) / 1000);
}

std::string lower_case(std::string_view text) {
  std::string result{text};
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

// One that is compressed is none that can be read.
bool is_event_stream(const http::response<http::string_body>& message) {
  auto type = message[http::field::content_type];
  auto encoding = message[http::field::content_encoding];
  return message.result_int() == 200
         && lower_case({type.data(), type.size()}).starts_with("text/event-stream")
         && (encoding.empty() || beast::iequals(encoding, "identity"));
}

// Whether another head follows. A change of protocols is for good, and nobody asked for one.
bool is_announcement(unsigned status) {
  return status / 100 == 1 && status != 101;
}

header_map headers_of(const http::fields& fields) {
  header_map result;
  for (const auto& field : fields) {
    auto name = field.name_string();
    auto value = field.value();
    result.insert_or_assign(lower_case({name.data(), name.size()}),
                            std::string{value.data(), value.size()});
  }
  return result;
}

http_response to_response(http::response<http::string_body>&& message) {
  http_response result;
  result.status = message.result_int();
  result.headers = headers_of(message);
  result.body = std::move(message.body());
  return result;
}

} // namespace

http_connection::http_connection(asio::io_context& io, asio::ssl::context& tls, url server,
                                 std::optional<proxy> via, const http_limits& limits)
  : server_(std::move(server)), via_(std::move(via)), limits_(limits), resolver_(io),
    stream_(beast::tcp_stream{io}, tls), deadline_(io) {
  // nop
}

void http_connection::send(const http_request& request, clock::time_point until,
                           http_handler done) {
  auto whole_url = via_ && !server_.tls; // what a proxy wants to hear where there is no tunnel
  request_ = {http::verb::post, (whole_url ? "http://" + server_.authority() : "") + request.path,
              11};
  if (whole_url && !via_->credentials.empty())
    request_.set(http::field::proxy_authorization, "Basic " + via_->credentials.reveal());
  request_.set(http::field::host, server_.authority());
  request_.set(http::field::user_agent, "lathe");
  request_.set(http::field::accept,
               request.on_part ? "text/event-stream, application/json" : "application/json");
  request_.set(http::field::accept_encoding, "identity");
  request_.set(http::field::content_type, "application/json");
  for (auto& [name, value] : request.headers)
    request_.set(name, value);
  if (!request.key.empty())
    request_.set(request.key_header,
                 (request.key_header == "Authorization" ? "Bearer " : "") + request.key.reveal());
  request_.body() = request.body;
  request_.prepare_payload();
  until_ = until;
  timeout_ = request.timeout;
  connect_ = request.connect;
  first_byte_ = request.first_byte;
  idle_ = request.idle;
  on_headers_ = request.on_headers;
  on_part_ = request.on_part;
  cancelled_ = request.cancelled;
  done_ = std::move(done);
  sent_ = false;
  streamed_ = false;
  if (connected_)
    write();
  else
    resolve();
}

// It may come late: the connection may have gone on to another exchange.
void http_connection::cancel(const cancellation& of) {
  if (!done_ || cancelled_.get() != &of)
    return;
  sent_ = connected_; // all of it may be out, though that has not been heard of yet
  fail("is not waited for any more");
}

bool http_connection::reusable() {
  if (closed_ || !connected_ || clock::now() - last_used_ > limits_.pooled)
    return false;
  // Readable between two exchanges means closed, or talking out of turn.
  char byte = 0;
  auto handle = beast::get_lowest_layer(stream_).socket().native_handle();
  return ::recv(handle, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0
         && (errno == EAGAIN || errno == EWOULDBLOCK);
}

// -- the protocol ---------------------------------------------------------------------

void http_connection::resolve() {
  expect_within(connect_, "could not be looked up within");
  const auto& next = via_ ? via_->server : server_;
  resolver_.async_resolve(next.host, next.port,
                          step<endpoints>([this](error_code code, const endpoints& found) {
                            if (code)
                              return fail("could not be looked up", code);
                            addresses_.assign(found.begin(), found.end());
                            connect();
                          }));
}

// One address after the other: where one is a black hole, the next one may be reached.
void http_connection::connect() {
  expect_within(connect_, "did not accept a connection within");
  auto next = addresses_.front();
  addresses_.erase(addresses_.begin());
  auto& socket = beast::get_lowest_layer(stream_);
  socket.async_connect(next, step([this, &socket](error_code code) {
                         if (code && !addresses_.empty()) {
                           socket.close();
                           return connect();
                         }
                         if (code)
                           return fail("did not accept a connection", code);
                         addresses_.clear();
                         error_code ignored;
                         socket.socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
                         if (via_ && server_.tls)
                           return ask_for_tunnel();
                         through_ = true;
                         server_.tls ? handshake() : write();
                       }));
}

void http_connection::ask_for_tunnel() {
  expect_within(connect_, "did not take CONNECT within");
  auto target = server_.host_and_port();
  auto request = std::make_shared<http::request<http::empty_body>>(http::verb::connect, target, 11);
  request->set(http::field::host, target);
  request->set(http::field::user_agent, "lathe");
  if (!via_->credentials.empty())
    request->set(http::field::proxy_authorization, "Basic " + via_->credentials.reveal());
  http::async_write(beast::get_lowest_layer(stream_), *request,
                    step<std::size_t>([this, request](error_code code, std::size_t) {
                      if (code)
                        return fail("broke off before it answered CONNECT", code);
                      expect_within(connect_, "did not answer CONNECT within");
                      announced_ = 0;
                      read_tunnel_answer();
                    }));
}

void http_connection::read_tunnel_answer() {
  auto answer = std::make_shared<http::response_parser<http::empty_body>>();
  answer->header_limit(max_header);
  answer->skip(true); // whatever the header says, what follows is the server's
  http::async_read_header(beast::get_lowest_layer(stream_), buffer_, *answer,
                          step<std::size_t>([this, answer](error_code code, std::size_t) {
                            if (code)
                              return fail("broke off before it answered CONNECT", code);
                            auto status = answer->get().result_int();
                            if (is_announcement(status))
                              return skip_announcement([this] { read_tunnel_answer(); });
                            if (status < 200 || status > 299) {
                              close();
                              return deliver(refused_by(*via_, server_, status));
                            }
                            if (buffer_.size() > 0) // no server speaks first in TLS
                              return fail("sent more than an answer to CONNECT");
                            through_ = true;
                            handshake();
                          }));
}

void http_connection::handshake() {
  expect_within(connect_, "did not finish the TLS handshake within");
  if (!is_address(server_.host))
    SSL_ctrl(stream_.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             server_.host.data()); // what SSL_set_tlsext_host_name expands to, without its C casts
  stream_.set_verify_mode(asio::ssl::verify_peer);
  stream_.set_verify_callback(asio::ssl::host_name_verification{server_.host});
  stream_.async_handshake(asio::ssl::stream_base::client, step([this](error_code code) {
                            auto verdict = SSL_get_verify_result(stream_.native_handle());
                            if (code && verdict != X509_V_OK)
                              return fail(what_is_wrong_with_certificate(verdict), true);
                            if (code)
                              return fail("did not finish the TLS handshake", code);
                            write();
                          }));
}

void http_connection::write() {
  connected_ = true;
  expect_within(no_limit, "");
  with_stream([this](auto& stream) {
    http::async_write(stream, request_, step<std::size_t>([this](error_code code, std::size_t) {
                        sent_ = !code;
                        // A server that refuses early closes its ear, but its answer may be there
                        // to read.
                        read_header();
                      }));
  });
}

void http_connection::read_header() {
  expect_within(first_byte_.value_or(no_limit), "did not begin to answer within");
  announced_ = 0;
  read_next_header();
}

void http_connection::read_next_header() {
  parser_.emplace();
  parser_->header_limit(max_header);
  parser_->body_limit(limits_.max_body);
  with_stream([this](auto& stream) {
    http::async_read_header(stream, buffer_, *parser_,
                            step<std::size_t>([this](error_code code, std::size_t) {
                              if (code)
                                return fail("broke off before it answered", code);
                              if (is_announcement(parser_->get().result_int()))
                                return skip_announcement([this] { read_next_header(); });
                              if (via_ && !server_.tls && parser_->get().result_int() == 407) {
                                close();
                                return deliver(refused_by(*via_, server_, 407));
                              }
                              if (on_headers_)
                                on_headers_(headers_of(parser_->get()));
                              streamed_ = on_part_ && is_event_stream(parser_->get());
                              read_body();
                            }));
  });
}

void http_connection::skip_announcement(const std::function<void()>& read_on) {
  if (++announced_ > max_announcements)
    return fail("announced an answer again and again, and gave none");
  read_on();
}

void http_connection::read_body() {
  if (!hand_over())
    return stop();
  if (parser_->is_done())
    return finish();
  expect_within(idle_, "fell silent in the middle of an answer for");
  with_stream([this](auto& stream) {
    http::async_read_some(stream, buffer_, *parser_,
                          step<std::size_t>([this](error_code code, std::size_t) {
                            if (code)
                              return fail("broke off in the middle of an answer", code);
                            read_body();
                          }));
  });
}

// Returns whether more is wanted.
bool http_connection::hand_over() {
  auto& body = parser_->get().body();
  if (!streamed_ || body.empty())
    return true;
  auto wanted = on_part_(body);
  body.clear();
  return wanted;
}

// The server is told by the connection's end.
void http_connection::stop() {
  auto response = to_response(parser_->release());
  response.streamed = true;
  close();
  deliver(std::move(response));
}

void http_connection::finish() {
  auto keep_alive = parser_->keep_alive() && sent_ && buffer_.size() == 0;
  auto response = to_response(parser_->release());
  response.streamed = streamed_;
  parser_.reset();
  last_used_ = clock::now();
  deadline_.cancel();
  if (!keep_alive)
    close();
  deliver(std::move(response));
}

// -- its ends -------------------------------------------------------------------------

void http_connection::expect_within(std::chrono::milliseconds limit, const char* what) {
  step_until_ = std::min(until_, clock::now() + limit);
  step_limit_ = limit;
  step_what_ = what;
  if (watching_ && deadline_.expiry() > step_until_)
    deadline_.cancel(); // which looks again
  else if (!watching_)
    watch_deadline();
}

void http_connection::watch_deadline() {
  watching_ = true;
  deadline_.expires_at(step_until_);
  deadline_.async_wait([self = shared_from_this()](error_code) {
    self->watching_ = false;
    if (self->closed_ || !self->done_)
      return; // all ended in time
    if (clock::now() < self->step_until_)
      return self->watch_deadline();
    self->miss_deadline();
  });
}

void http_connection::miss_deadline() {
  if (step_until_ == until_)
    return fail("gave no complete answer within " + seconds_of(timeout_));
  if (!addresses_.empty()) {
    error_code ignored;
    beast::get_lowest_layer(stream_).socket().cancel(ignored); // the next address is tried
    return;
  }
  fail(step_what_ + (" " + seconds_of(step_limit_)));
}

std::string http_connection::speaker() const {
  if (!via_)
    return server_.authority();
  return through_ ? fmt::format("{}, through {},", server_.authority(), via_->name())
                  : via_->name();
}

void http_connection::fail(const std::string& what, bool permanent) {
  close();
  deliver(http_failure{speaker() + " " + what, sent_, permanent});
}

void http_connection::fail(const std::string& what, error_code code) {
  if (code == http::error::body_limit)
    return fail(fmt::format("sent an answer of more than {} bytes", limits_.max_body));
  auto end_of_stream = code == http::error::end_of_stream || code == http::error::partial_message
                       || code == asio::error::eof || code == asio::ssl::error::stream_truncated;
  fail(what + ": " + (end_of_stream ? "the connection was closed" : code.message()));
}

void http_connection::deliver(http_result result) {
  if (auto failed = std::get_if<http_failure>(&result))
    log()->debug("{}", failed->sentence);
  // Moved out first: the handler may drop the last reference to this, or send again.
  on_headers_ = nullptr;
  on_part_ = nullptr;
  cancelled_ = nullptr;
  auto done = std::exchange(done_, nullptr);
  done(std::move(result));
}

void http_connection::close() {
  closed_ = true;
  resolver_.cancel();
  deadline_.cancel();
  // No TLS goodbye: HTTP says by itself where an answer ends, and a server that hangs must not be
  // waited for.
  beast::get_lowest_layer(stream_).close();
}

} // namespace lathe::llm_clients
