#include "gpu/host_claim.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace lathe::gpu {

// A name among the kernel's abstract ones belongs to one process, and is free again when that ends.
// A kernel that does not know such names keeps nobody from anything.
std::optional<unique_fd> claim_on_host(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto length = std::min(name.size(), sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path + 1, name.data(), length);
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  unique_fd result{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (::bind(result.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0
      && errno == EADDRINUSE)
    return std::nullopt;
  return result;
}

} // namespace lathe::gpu
