#include "runtime/control.hpp"

#include "messages/error.hpp"
#include "messages/unique_fd.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <utility>
#include <unistd.h>

namespace lathe::runtime {

namespace {

// A topology file fits many times; more is not a request.
constexpr std::size_t max_line = 4 << 20;
constexpr int patience_ms = 30'000;

// A socket's name holds 107 bytes at most, so it is given relative to the open folder.
sockaddr_un address_in(const unique_fd& folder) {
  sockaddr_un result{};
  result.sun_family = AF_UNIX;
  auto end = fmt::format_to_n(result.sun_path, sizeof(result.sun_path) - 1,
                              "/proc/self/fd/{}/control.sock", folder.get());
  *end.out = '\0';
  return result;
}

unique_fd open_folder(const std::filesystem::path& folder) {
  return unique_fd{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
}

bool readable(int fd, int stop_fd) {
  pollfd waits[2] = {{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
  nfds_t count = stop_fd < 0 ? 1 : 2;
  while (poll(waits, count, patience_ms) < 0 && errno == EINTR)
    ;
  return waits[0].revents != 0 && (count == 1 || waits[1].revents == 0);
}

// Reads up to a newline or the end of the stream.
std::string read_line(int fd, int stop_fd) {
  std::string line;
  char buffer[4096];
  while (line.size() < max_line && line.find('\n') == std::string::npos && readable(fd, stop_fd)) {
    auto count = recv(fd, buffer, sizeof(buffer), 0);
    if (count <= 0)
      break;
    line.append(buffer, static_cast<std::size_t>(count));
  }
  return line.substr(0, line.find('\n'));
}

bool write_line(int fd, std::string line) {
  line += '\n';
  for (std::size_t sent = 0; sent < line.size();) {
    auto count = send(fd, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count <= 0)
      return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

bool same_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
         && (peer.uid == geteuid() || peer.uid == 0);
}

class socket_server : public control_server {
public:
  socket_server(unique_fd folder, unique_fd listener, handler answer)
    : folder_(std::move(folder)), listener_(std::move(listener)), stop_(eventfd(0, EFD_CLOEXEC)),
      answer_(std::move(answer)), thread_([this] { serve(); }) {
    // nop
  }

  ~socket_server() override {
    eventfd_write(stop_.get(), 1);
    thread_.join();
    unlinkat(folder_.get(), "control.sock", 0);
  }

private:
  void serve() {
    for (;;) {
      pollfd waits[2] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      if (poll(waits, 2, -1) < 0 && errno != EINTR)
        return;
      if (waits[1].revents != 0)
        return;
      if (waits[0].revents == 0)
        continue;
      unique_fd peer{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (peer.get() >= 0 && same_user(peer.get()))
        write_line(peer.get(), answer_(read_line(peer.get(), stop_.get())));
    }
  }

  unique_fd folder_;
  unique_fd listener_;
  unique_fd stop_;
  handler answer_;
  std::thread thread_; // last: it uses all the others
};

} // namespace

caf::expected<std::unique_ptr<control_server>>
control_server::open(const std::filesystem::path& folder, handler answer) {
  auto failed = [&] {
    return make_error(errc::environment_error, fmt::format("cannot open {}/control.sock: {}",
                                                           folder.string(), std::strerror(errno)));
  };
  auto home = open_folder(folder);
  unique_fd listener{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (home.get() < 0 || listener.get() < 0)
    return failed();
  unlinkat(home.get(), "control.sock", 0); // a killed run left it; the run's lock is ours
  auto address = address_in(home);
  auto mask = umask(0177);
  auto bound = bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  umask(mask);
  if (bound != 0 || listen(listener.get(), 8) != 0)
    return failed();
  return std::unique_ptr<control_server>{
    std::make_unique<socket_server>(std::move(home), std::move(listener), std::move(answer))};
}

caf::expected<std::string> control_request(const std::filesystem::path& folder,
                                           const std::string& request) {
  auto home = open_folder(folder);
  if (home.get() < 0)
    return make_error(errc::user_error, fmt::format("there is no run in {}", folder.string()));
  unique_fd peer{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto address = address_in(home);
  if (connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return make_error(errc::user_error,
                      fmt::format("the run in {} is not live; start it again with: lathe run "
                                  "--resume {}",
                                  folder.string(), folder.string()));
  if (!write_line(peer.get(), request))
    return make_error(errc::environment_error, "the run closed the connection");
  auto answer = read_line(peer.get(), -1);
  if (answer.empty())
    return make_error(errc::timed_out, "the run gave no answer within 30 s");
  return answer;
}

} // namespace lathe::runtime
