#pragma once

#include <caf/expected.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace lathe::runtime {

/// Lets other processes of the same user talk to a live run: one request line, one answer line,
/// over a Unix socket in the run's folder.
class control_server {
public:
  /// Called with a request, on the server's own thread; returns the answer.
  using handler = std::function<std::string(const std::string& request)>;

  /// Opens `folder/control.sock`.
  static caf::expected<std::unique_ptr<control_server>> open(const std::filesystem::path& folder,
                                                             handler answer);

  /// Stops listening and removes the socket.
  virtual ~control_server() = default;
};

/// Sends one request to the run in `folder` and returns its answer. Fails with `user_error` when no
/// run is live there.
caf::expected<std::string> control_request(const std::filesystem::path& folder,
                                           const std::string& request);

} // namespace lathe::runtime
