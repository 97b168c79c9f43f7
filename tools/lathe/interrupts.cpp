#include "tools/lathe/interrupts.hpp"

#include <csignal>
#include <ctime>

namespace lathe::cli {

namespace {

sigset_t handled() {
  sigset_t result;
  sigemptyset(&result);
  sigaddset(&result, SIGINT);
  sigaddset(&result, SIGTERM);
  return result;
}

} // namespace

interrupts::interrupts() {
  auto signals = handled();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int interrupts::wait(std::chrono::milliseconds limit) {
  auto signals = handled();
  timespec time{limit.count() / 1000, limit.count() % 1000 * 1'000'000};
  if (sigtimedwait(&signals, nullptr, &time) > 0)
    ++count_;
  return count_;
}

} // namespace lathe::cli
