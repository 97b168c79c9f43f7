#include "tools/llm_server/server.hpp"

#include "tools/llm_server/session.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

namespace lathe::llm_server {

namespace asio = boost::asio;
namespace ssl = asio::ssl;

using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int most_waiting = 4096; // connections that nobody accepted yet

void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Opens an acceptor on 127.0.0.1.
error_code listen_at(tcp::acceptor& acceptor, std::uint16_t port) {
  error_code code;
  acceptor.open(tcp::v4(), code);
  if (!code)
    acceptor.set_option(asio::socket_base::reuse_address{true}, code);
  if (!code)
    acceptor.bind({asio::ip::address_v4::loopback(), port}, code);
  if (!code)
    acceptor.listen(most_waiting, code);
  return code;
}

std::optional<mistake> load(ssl::context& tls, const options& x) {
  error_code code;
  tls.use_certificate_chain_file(x.certificate, code);
  if (code)
    return mistake{fmt::format("{} is no certificate in PEM: {}", x.certificate, code.message())};
  tls.use_private_key_file(x.key, ssl::context::pem, code);
  if (code)
    return mistake{
      fmt::format("{} is no private key in PEM of that certificate: {}", x.key, code.message())};
  SSL_CTX_set_mode(tls.native_handle(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                                          | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return std::nullopt;
}

} // namespace

server::server(const options& x) : answers_(x.defaults) {
  // nop
}

std::optional<mistake> server::open(const options& x) {
  allow_many_files();
  std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to sockets that may be closed
  if (!x.certificate.empty()) {
    tls_.emplace(ssl::context::tls_server);
    if (auto wrong = load(*tls_, x))
      return wrong;
  }
  for (std::size_t i = 0; i < x.threads; ++i)
    workers_.push_back(
      std::make_unique<worker>(answers_, connections_, tls_ ? tls_->native_handle() : nullptr));
  auto& io = workers_[0]->io;
  acceptor_.emplace(io);
  pause_.emplace(io);
  if (auto code = listen_at(*acceptor_, x.port))
    return mistake{fmt::format("port {} cannot be listened at: {}", x.port, code.message())};
  signals_.emplace(io, SIGINT, SIGTERM);
  signals_->async_wait([this](error_code code, int) {
    if (!code)
      stop();
  });
  accept();
  return std::nullopt;
}

std::string server::url() const {
  return fmt::format("{}://127.0.0.1:{}", tls_ ? "https" : "http",
                     acceptor_->local_endpoint().port());
}

void server::run() {
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < workers_.size(); ++i)
    threads.emplace_back([&io = workers_[i]->io] {
      auto busy = asio::make_work_guard(io);
      io.run();
    });
  workers_[0]->io.run();
  for (auto& thread : threads)
    thread.join();
  for (auto& worker : workers_)
    while (!worker->sessions.empty()) {
      auto last = *worker->sessions.begin(); // which closing takes out of there
      last->close();
    }
}

std::string server::report() const {
  tally all;
  for (const auto& worker : workers_) {
    all.requests += worker->done.requests;
    all.streams += worker->done.streams;
    all.events += worker->done.events;
    all.closed_early += worker->done.closed_early;
  }
  return fmt::format(R"({{"requests":{},"streams":{},"events":{},"most_connections":{},)"
                     R"("closed_early":{}}})",
                     all.requests, all.streams, all.events, connections_.most(), all.closed_early);
}

void server::accept() {
  auto& home = *workers_[next_++ % workers_.size()];
  acceptor_->async_accept(home.io, [this, &home](error_code code, tcp::socket socket) {
    if (code == asio::error::operation_aborted)
      return;
    if (code) {
      pause_->expires_after(std::chrono::milliseconds{50});
      return pause_->async_wait([this](error_code stopped) {
        if (!stopped)
          accept();
      });
    }
    auto begun = std::make_shared<session>(home, std::move(socket));
    if (workers_.size() == 1)
      begun->start();
    else
      asio::post(home.io, [begun] { begun->start(); });
    accept();
  });
}

void server::stop() {
  for (auto& worker : workers_)
    worker->io.stop();
}

} // namespace lathe::llm_server
