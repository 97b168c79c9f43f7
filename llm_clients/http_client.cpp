#include "llm_clients/http_client.hpp"

#include "llm_clients/http_connection.hpp"
#include "llm_clients/io_thread.hpp"
#include "messages/error.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

namespace lathe::llm_clients {

namespace asio = boost::asio;

namespace {

using clock = http_connection::clock;
using connection_ptr = std::shared_ptr<http_connection>;

struct pending {
  http_request request;
  clock::time_point until;
  http_handler done;
};

struct server_connections {
  std::size_t busy = 0;
  std::vector<connection_ptr> unused; // last used at the back
  std::deque<pending> waiting;
};

// OpenSSL's own words are about its functions.
std::string why_unreadable(const std::string& file) {
  errno = 0;
  std::ifstream in{file};
  return in ? "there is no certificate (PEM) in it" : std::strerror(errno);
}

} // namespace

// Lives on the I/O thread.
struct http_client::pool : std::enable_shared_from_this<http_client::pool> {
  pool(asio::io_context& context, http_limits x) : io(context), limits(x) {
    // nop
  }

  void send(pending x) {
    const auto& server = x.request.server;
    const auto& via = x.request.via;
    auto name = (via ? via->server.authority() + " " : "") + (server.tls ? "https://" : "http://")
                + server.authority();
    servers[name].waiting.push_back(std::move(x));
    start_waiting(name);
  }

  void start_waiting(const std::string& name) {
    auto& server = servers[name];
    while (server.busy < limits.connections && !server.waiting.empty()) {
      auto x = std::move(server.waiting.front());
      server.waiting.pop_front();
      start(name, server, std::move(x));
    }
  }

  void start(const std::string& name, server_connections& server, pending x) {
    auto connection = take(server, x.request);
    ++server.busy;
    // Weak: a connection that is still at work when the client goes ends without its pool, and it
    // holds this handler, so the handler must not hold it.
    auto done = [pool = weak_from_this(), name, used = std::weak_ptr{connection},
                 f = std::move(x.done)](http_result result) {
      if (auto self = pool.lock())
        self->give_back(name, used.lock());
      f(std::move(result));
    };
    if (x.request.cancelled)
      close_when_cancelled(x.request.cancelled, connection);
    connection->send(x.request, x.until, std::move(done));
  }

  // Whoever cancels is in another thread.
  void close_when_cancelled(const std::shared_ptr<cancellation>& cancelled,
                            const connection_ptr& connection) {
    cancelled->on_cancel([pool = weak_from_this(), used = std::weak_ptr{connection},
                          token = std::weak_ptr{cancelled}] {
      if (auto self = pool.lock())
        asio::post(self->io, [used, token] {
          auto at_work = used.lock();
          auto of = token.lock();
          if (at_work && of)
            at_work->cancel(*of);
        });
    });
  }

  connection_ptr take(server_connections& server, const http_request& x) {
    while (!server.unused.empty()) {
      auto result = std::move(server.unused.back());
      server.unused.pop_back();
      if (result->reusable())
        return result;
    }
    return std::make_shared<http_connection>(io, tls, x.server, x.via, limits);
  }

  void give_back(const std::string& name, const connection_ptr& connection) {
    auto& server = servers[name];
    --server.busy;
    if (connection && connection->reusable() && server.unused.size() < limits.unused) {
      server.unused.push_back(connection);
      sweep_later();
    }
    // Not from within the handler: a request that fails at once would recurse.
    if (!server.waiting.empty())
      asio::post(io, [self = shared_from_this(), name] { self->start_waiting(name); });
  }

  // A server that closes its end is not left waiting for ours.
  void sweep_later() {
    if (std::exchange(sweeps, true))
      return;
    timer.expires_after(limits.swept);
    timer.async_wait([pool = weak_from_this()](boost::system::error_code) {
      if (auto self = pool.lock())
        self->sweep();
    });
  }

  void sweep() {
    sweeps = false;
    auto some_left = false;
    for (auto& [name, server] : servers) {
      std::erase_if(server.unused, [](const connection_ptr& x) { return !x->reusable(); });
      some_left = some_left || !server.unused.empty();
    }
    if (some_left)
      sweep_later();
  }

  asio::io_context& io;
  http_limits limits;
  asio::steady_timer timer{io};
  bool sweeps = false; // the timer is under way
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::map<std::string, server_connections> servers; // by proxy, scheme and authority
};

caf::expected<std::unique_ptr<http_client>>
http_client::make(std::shared_ptr<io_thread> io, http_limits limits, const std::string& ca_file) {
  auto connections = std::make_shared<pool>(io->context(), limits);
  auto& tls = connections->tls;
  boost::system::error_code code;
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1
                    | asio::ssl::context::no_tlsv1_1,
                  code);
  if (!code)
    tls.set_verify_mode(asio::ssl::verify_peer, code);
  if (!code)
    tls.set_default_verify_paths(code);
  if (code)
    return make_error(errc::environment_error, "TLS cannot be set up: " + code.message());
  if (!ca_file.empty() && tls.load_verify_file(ca_file, code))
    return make_error(errc::user_error, fmt::format("the CA certificates in {} cannot be read: {}",
                                                    ca_file, why_unreadable(ca_file)));
  return std::unique_ptr<http_client>{new http_client{std::move(io), std::move(connections)}};
}

http_client::http_client(std::shared_ptr<io_thread> io, std::shared_ptr<pool> connections)
  : io_(std::move(io)), pool_(std::move(connections)) {
  // nop
}

http_client::~http_client() {
  // The pool's sockets belong to the I/O thread, so they are closed there.
  asio::post(io_->context(), [connections = std::move(pool_)] {});
}

void http_client::send(http_request request, http_handler done) {
  auto until = clock::now() + request.timeout;
  asio::post(io_->context(),
             [to = pool_, x = pending{std::move(request), until, std::move(done)}]() mutable {
               to->send(std::move(x));
             });
}

} // namespace lathe::llm_clients
