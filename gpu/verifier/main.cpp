#include "gpu/verifier/compute_device.hpp"
#include "gpu/verifier/requests.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <execinfo.h>
#include <sys/socket.h>
#include <unistd.h>

// lathe-verifier: answers requests on descriptor 3 until the other end closes it.

namespace {

constexpr int socket_fd = 3;
constexpr std::size_t max_message = 128 * 1024; // [bytes]
constexpr std::size_t max_fds = 16;

struct request {
  std::string text;
  std::vector<int> fds;
};

std::vector<int> take_fds(msghdr& header) {
  std::vector<int> result;
  for (auto* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
      continue;
    result.resize((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(result.data(), CMSG_DATA(part), result.size() * sizeof(int));
  }
  return result;
}

// Returns false when there will be no more requests.
bool receive(request& result) {
  result.text.resize(max_message);
  iovec content{result.text.data(), result.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * max_fds)> control{};
  msghdr header{};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  do
    size = ::recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size <= 0)
    return false;
  result.text.resize(static_cast<std::size_t>(size));
  result.fds = take_fds(header);
  return true;
}

bool send(const std::string& reply) {
  return ::send(socket_fd, reply.data(), reply.size(), MSG_NOSIGNAL)
         == static_cast<ssize_t>(reply.size());
}

// An abort from deep inside torch or the C library says what, and not where.
void say_where(int signal) {
  std::array<void*, 64> frames{};
  auto count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  ::backtrace_symbols_fd(frames.data(), count, STDERR_FILENO);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void prepare_to_say_where() {
  void* frame = nullptr;
  ::backtrace(&frame, 1); // the first one loads a library, which takes memory
  std::signal(SIGABRT, say_where);
}

} // namespace

int main() {
  prepare_to_say_where();
  at::set_num_threads(1); // other processes are being timed on this machine
  c10::InferenceMode no_gradients;
  request next;
  while (receive(next)) {
    auto reply = lathe::verifier::answer(next.text, next.fds);
    for (auto fd : next.fds)
      ::close(fd);
    if (!send(reply))
      break;
    lathe::verifier::release_memory();
  }
  // Nothing is left to save, and torch's libraries do not all come down in good order.
  std::_Exit(0);
}
