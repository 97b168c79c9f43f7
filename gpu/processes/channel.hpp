#pragma once

#include "messages/unique_fd.hpp"

#include <boost/json/fwd.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lathe::gpu {

/// One message: a JSON text that nobody has looked at yet, and the descriptors that came with it.
struct channel_message {
  std::string text;
  std::vector<unique_fd> fds;
};

/// Our end of a `SOCK_SEQPACKET` socket pair: messages with descriptors, each whole or not at all.
/// Never blocks longer than it is told to, whatever the other end does.
class channel {
public:
  static constexpr std::size_t max_message_size = 128 * 1024; ///< [bytes]
  static constexpr std::size_t max_descriptors = 8;

  /// Makes a pair: our end, and the one to hand to a process.
  static caf::expected<std::pair<channel, unique_fd>> make();

  /// Sends `request` and copies of `fds`. Fails when the other end is gone or does not read.
  caf::error send(const boost::json::object& request, std::span<const int> fds = {});

  /// Returns the next message, or nothing if none is there yet. An error means that none will ever
  /// come: the other end is gone, or has sent something that is not a message.
  caf::expected<std::optional<channel_message>> receive();

  /// Waits for the next message; errors as above, and `errc::timed_out`.
  caf::expected<channel_message> receive_within(std::chrono::milliseconds limit);

  int fd() const {
    return fd_.get();
  }

private:
  explicit channel(unique_fd fd);

  unique_fd fd_;
  std::string buffer_;
};

} // namespace lathe::gpu
