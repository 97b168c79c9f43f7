#include "gpu/claimed_cpus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace lathe::gpu {

namespace {

// A name among the kernel's abstract ones belongs to one process, and is free again when that ends.
unique_fd claim(int cpu) {
  auto name = fmt::format("lathe-times-on-cpu-{}", cpu);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  unique_fd result{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (::bind(result.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    result.reset();
  return result;
}

} // namespace

claimed_cpus::claimed_cpus(std::vector<int> available, std::size_t count) {
  std::vector<int> taken;
  std::reverse(available.begin(), available.end());
  for (auto cpu : available) {
    if (numbers_.size() == count)
      return;
    if (auto mine = claim(cpu); mine.get() >= 0) {
      claims_.push_back(std::move(mine));
      numbers_.push_back(cpu);
    } else {
      taken.push_back(cpu);
    }
  }
  for (auto cpu : taken) // better with others than not at all
    if (numbers_.size() < count)
      numbers_.push_back(cpu);
}

} // namespace lathe::gpu
