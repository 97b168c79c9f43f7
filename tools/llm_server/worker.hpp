#pragma once

#include "tools/llm_server/responder.hpp"
#include "tools/llm_server/ticker.hpp"

#include <boost/asio/io_context.hpp>
#include <openssl/ssl.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace lathe::llm_server {

class session;

/// What the sessions of one thread have done.
struct tally {
  std::uint64_t requests = 0;
  std::uint64_t streams = 0;
  std::uint64_t events = 0;       ///< deltas, one each
  std::uint64_t closed_early = 0; ///< by the client, before its answer was complete
};

/// How many connections are open, over all threads.
class connection_gauge {
public:
  void opened() {
    auto now = ++open_;
    auto most = most_.load();
    while (now > most && !most_.compare_exchange_weak(most, now))
      ;
  }

  void closed() {
    --open_;
  }

  std::uint64_t most() const {
    return most_;
  }

private:
  std::atomic<std::uint64_t> open_{0};
  std::atomic<std::uint64_t> most_{0}; // at once, so far
};

/// One thread's share of the server, and what its sessions have in common: they never run at the
/// same time, so none needs buffers of its own.
struct worker {
  worker(responder& x, connection_gauge& gauge, SSL_CTX* with_tls)
    : answers(x), connections(gauge), tls(with_tls) {
    // nop
  }

  responder& answers;
  connection_gauge& connections;
  SSL_CTX* tls; ///< null: none
  std::vector<char> input = std::vector<char>(64u << 10);
  std::string output;
  tally done;
  boost::asio::io_context io{1};
  ticker timers{io};
  std::unordered_set<std::shared_ptr<session>> sessions; ///< all that are open
};

} // namespace lathe::llm_server
