#include "gpu/processes/channel.hpp"

#include "messages/error.hpp"

#include <boost/json/serialize.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace lathe::gpu {

namespace {

using control_buffer = std::array<char, CMSG_SPACE(sizeof(int) * channel::max_descriptors)>;

caf::error broken(const std::string& why) {
  return make_error(errc::evaluator_failed, "the process " + why);
}

// Takes all descriptors out of `header`, so that none stays open unowned.
std::vector<unique_fd> take_descriptors(msghdr& header) {
  std::vector<unique_fd> result;
  for (auto part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
      continue;
    auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      result.emplace_back(fd);
    }
  }
  return result;
}

void attach_descriptors(msghdr& header, control_buffer& control, std::span<const int> fds) {
  if (fds.empty())
    return;
  header.msg_control = control.data();
  header.msg_controllen = CMSG_SPACE(fds.size_bytes());
  auto part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
}

} // namespace

channel::channel(unique_fd fd) : fd_(std::move(fd)), buffer_(max_message_size, '\0') {}

caf::expected<std::pair<channel, unique_fd>> channel::make() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return make_error(errc::environment_error,
                      std::string{"cannot make a socket pair: "} + std::strerror(errno));
  return std::pair{channel{unique_fd{ends[0]}}, unique_fd{ends[1]}};
}

caf::error channel::send(const boost::json::object& request, std::span<const int> fds) {
  auto text = boost::json::serialize(request);
  if (text.size() > max_message_size || fds.size() > max_descriptors)
    return make_error(errc::evaluator_failed, "a request to a process is too large");
  iovec content{text.data(), text.size()};
  alignas(cmsghdr) control_buffer control{};
  msghdr header{};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  attach_descriptors(header, control, fds);
  ssize_t sent = -1;
  do
    sent = ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0)
    return {};
  return broken(errno == EAGAIN ? "does not read its requests" : "is gone");
}

caf::expected<std::optional<channel_message>> channel::receive() {
  iovec content{buffer_.data(), buffer_.size()};
  alignas(cmsghdr) control_buffer control{};
  msghdr header{};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  auto size = ::recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return std::optional<channel_message>{};
  if (size < 0)
    return broken("is gone");
  auto fds = take_descriptors(header);
  if (size == 0)
    return broken("has closed its socket");
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return broken("has sent a message that is too large");
  return std::optional{
    channel_message{buffer_.substr(0, static_cast<std::size_t>(size)), std::move(fds)}};
}

caf::expected<channel_message> channel::receive_within(std::chrono::milliseconds limit) {
  using clock = std::chrono::steady_clock;
  auto deadline = clock::now() + limit;
  for (;;) {
    auto message = receive();
    if (!message)
      return std::move(message.error());
    if (*message)
      return std::move(**message);
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
    if (left.count() <= 0)
      return make_error(errc::timed_out, "the process does not answer");
    pollfd ready{fd_.get(), POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(left.count()));
  }
}

} // namespace lathe::gpu
