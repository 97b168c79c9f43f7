#include "tests/support/http_server.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace lathe::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

using asio::use_awaitable;
using asio::ip::tcp;

namespace {

using ending = scripted_reply::ending;

recorded_call record(const http::request<http::string_body>& request, std::size_t connection) {
  recorded_call result;
  result.method = std::string{request.method_string()};
  result.target = std::string{request.target()};
  for (const auto& field : request) {
    std::string name{field.name_string()};
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    result.headers[name] = std::string{field.value()};
  }
  result.body = request.body();
  result.connection = connection;
  return result;
}

std::string head_of(const scripted_reply& x) {
  if (!x.raw.empty())
    return x.raw;
  auto result = "HTTP/1.1 " + std::to_string(x.status) + " Scripted\r\n";
  for (const auto& [name, value] : x.headers)
    result += name + ": " + value + "\r\n";
  result +=
    x.chunked ? "Transfer-Encoding: chunked" : "Content-Length: " + std::to_string(x.body.size());
  return result + "\r\n\r\n";
}

asio::awaitable<void> wait(std::chrono::milliseconds time) {
  asio::steady_timer timer{co_await asio::this_coro::executor, time};
  if (time.count() > 0)
    co_await timer.async_wait(use_awaitable);
}

template <class Stream>
asio::awaitable<void> send(Stream& stream, const scripted_reply& x) {
  co_await wait(x.delay);
  auto head = head_of(x);
  auto text = (head + x.body).substr(0, x.cut);
  auto at_once = x.pause.count() == 0 ? text.size() : std::min(head.size(), text.size());
  co_await asio::async_write(stream, asio::buffer(text.data(), at_once), use_awaitable);
  for (auto i = at_once; i < text.size(); ++i) {
    co_await wait(x.pause);
    co_await asio::async_write(stream, asio::buffer(text.data() + i, 1), use_awaitable);
  }
}

asio::awaitable<void> relay(tcp::socket& from, tcp::socket& to) {
  std::array<char, 4096> bytes;
  for (;;) {
    auto count = co_await from.async_read_some(asio::buffer(bytes), use_awaitable);
    co_await asio::async_write(to, asio::buffer(bytes.data(), count), use_awaitable);
  }
}

// Until one of the two ends.
asio::awaitable<void> join(tcp::socket& client, const std::string& target) {
  using namespace asio::experimental::awaitable_operators;
  auto executor = co_await asio::this_coro::executor;
  auto colon = target.rfind(':');
  tcp::resolver resolver{executor};
  auto found = co_await resolver.async_resolve(target.substr(0, colon), target.substr(colon + 1),
                                               use_awaitable);
  tcp::socket server{executor};
  co_await server.async_connect(*found.begin(), use_awaitable);
  co_await (relay(client, server) || relay(server, client));
}

} // namespace

scripted_reply tunnel() {
  scripted_reply result;
  result.raw = "HTTP/1.1 200 Connection established\r\n\r\n";
  result.tunnel = true;
  return result;
}

struct http_server::implementation {
  explicit implementation(std::optional<certificate> x) : with_tls(x.has_value()) {
    if (x) {
      tls.use_certificate(asio::buffer(x->certificate_pem), asio::ssl::context::pem);
      tls.use_private_key(asio::buffer(x->key_pem), asio::ssl::context::pem);
    }
    asio::co_spawn(io, accept(), asio::detached);
    thread = std::thread{[this] { io.run(); }};
  }

  ~implementation() {
    io.stop();
    thread.join();
  }

  asio::awaitable<void> accept() {
    for (std::size_t number = 1;; ++number) {
      auto socket = co_await acceptor.async_accept(use_awaitable);
      asio::co_spawn(io, serve(std::move(socket), number), [this](std::exception_ptr gone) {
        if (gone) // as clients do in these tests
          count(left);
      });
    }
  }

  asio::awaitable<void> serve(tcp::socket socket, std::size_t number) {
    if (!with_tls) {
      co_await answer(socket, socket, number);
      co_return;
    }
    asio::ssl::stream<tcp::socket&> stream{socket, tls};
    co_await stream.async_handshake(asio::ssl::stream_base::server, use_awaitable);
    co_await answer(stream, socket, number);
  }

  template <class Stream>
  asio::awaitable<void> answer(Stream& stream, tcp::socket& socket, std::size_t number) {
    beast::flat_buffer buffer;
    for (;;) {
      http::request<http::string_body> request;
      co_await http::async_read(stream, buffer, request, use_awaitable);
      auto reply = take(record(request, number));
      co_await send(stream, reply);
      if (reply.tunnel)
        co_await join(socket, std::string{request.target()});
      if (reply.end == ending::reset)
        socket.set_option(asio::socket_base::linger{true, 0});
      if (reply.end != ending::keep_alive) {
        socket.close();
        count(closed);
        co_return;
      }
    }
  }

  // Remembers the call and returns what is to be done with it.
  scripted_reply take(recorded_call x) {
    std::lock_guard guard{mutex};
    calls.push_back(std::move(x));
    if (replies.empty())
      return {500, "nothing is scripted"};
    auto result = std::move(replies.front());
    replies.pop_front();
    return result;
  }

  void count(std::size_t& connections) {
    std::lock_guard guard{mutex};
    ++connections;
    changed.notify_all();
  }

  bool with_tls;
  asio::io_context io{1};
  asio::ssl::context tls{asio::ssl::context::tls_server};
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::uint16_t port = acceptor.local_endpoint().port();
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t closed = 0; // connections, by the server
  std::size_t left = 0;   // connections, by the client
  std::deque<scripted_reply> replies;
  std::vector<recorded_call> calls;
  std::thread thread;
};

http_server::http_server(std::optional<certificate> tls)
  : impl_(std::make_unique<implementation>(std::move(tls))) {
  // nop
}

http_server::~http_server() {
  // nop
}

void http_server::reply(scripted_reply x) {
  std::lock_guard guard{impl_->mutex};
  impl_->replies.push_back(std::move(x));
}

std::string http_server::base_url(const std::string& host) const {
  return (impl_->with_tls ? "https://" : "http://") + host + ":" + std::to_string(port()) + "/v1";
}

std::uint16_t http_server::port() const {
  return impl_->port;
}

std::vector<recorded_call> http_server::calls() const {
  std::lock_guard guard{impl_->mutex};
  return impl_->calls;
}

void http_server::wait_until_closed(std::size_t connections) const {
  std::unique_lock guard{impl_->mutex};
  impl_->changed.wait(guard, [&] { return impl_->closed >= connections; });
}

void http_server::wait_until_left(std::size_t connections) const {
  std::unique_lock guard{impl_->mutex};
  impl_->changed.wait(guard, [&] { return impl_->left >= connections; });
}

} // namespace lathe::test
