#include "llm_clients/io_thread.hpp"

#include "llm_clients/log.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <exception>

namespace lathe::llm_clients {

namespace {

void allow_many_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
    return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

} // namespace

io_thread::io_thread() : work_(boost::asio::make_work_guard(context_)) {
  allow_many_files();
  thread_ = std::thread{[this] { run(); }};
}

io_thread::~io_thread() {
  context_.stop();
  thread_.join();
}

void io_thread::run() {
  pthread_setname_np(pthread_self(), "lathe.llm.io");
  while (!context_.stopped()) {
    try {
      context_.run();
    } catch (const std::exception& x) {
      // One broken handler must not take all other calls with it.
      log()->error("a handler on the I/O thread threw: {}", x.what());
    }
  }
}

} // namespace lathe::llm_clients
