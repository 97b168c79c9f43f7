#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <thread>

namespace lathe::llm_clients {

/// Runs an `io_context` on a thread of its own. Sockets and timers of all providers live on it, so
/// they need no locks. Must not be destroyed from its own thread. From the first one on the process
/// may open as many files as it is allowed to at most: each connection is one.
class io_thread {
public:
  io_thread();

  io_thread(const io_thread&) = delete;

  io_thread& operator=(const io_thread&) = delete;

  /// Stops, joins, and drops what has not run: pending handlers are destroyed, not called.
  ~io_thread();

  boost::asio::io_context& context() {
    return context_;
  }

private:
  void run();

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

} // namespace lathe::llm_clients
