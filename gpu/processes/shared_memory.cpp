#include "gpu/processes/shared_memory.hpp"

#include "messages/error.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace lathe::gpu {

namespace {

constexpr int fixed_size = F_SEAL_SHRINK | F_SEAL_GROW;

caf::error refused(const char* what) {
  return make_error(errc::environment_error,
                    std::string{"shared memory: "} + what + ": " + std::strerror(errno));
}

} // namespace

memory_view::memory_view(std::span<const std::byte> bytes) : bytes_(bytes) {}

memory_view::memory_view(memory_view&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

memory_view& memory_view::operator=(memory_view&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

memory_view::~memory_view() {
  if (!bytes_.empty())
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

caf::expected<shared_memory> shared_memory::make(std::size_t size) {
  unique_fd fd{::memfd_create("lathe", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!fd)
    return refused("memfd_create");
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return refused("ftruncate");
  if (::fcntl(fd.get(), F_ADD_SEALS, fixed_size) != 0)
    return refused("seal");
  return shared_memory{std::move(fd), size};
}

caf::expected<shared_memory> shared_memory::holding(std::string_view text) {
  auto result = make(text.size());
  if (!result)
    return result;
  for (std::size_t written = 0; written < text.size();) {
    auto n = ::pwrite(result->fd(), text.data() + written, text.size() - written,
                      static_cast<off_t>(written));
    if (n < 0 && errno != EINTR)
      return refused("write");
    written += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  if (::fcntl(result->fd(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    return refused("seal");
  return result;
}

caf::expected<shared_memory> shared_memory::adopt(unique_fd fd, std::size_t limit) {
  struct stat info {};
  auto seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || ::fstat(fd.get(), &info) != 0)
    return make_error(errc::evaluator_failed,
                      "a process sent a file that is not sealed memory; it is not used");
  auto size = static_cast<std::size_t>(info.st_size);
  if (size > limit)
    return make_error(errc::evaluator_failed, "a process sent " + std::to_string(size)
                                                + " bytes, more than the " + std::to_string(limit)
                                                + " that are allowed");
  return shared_memory{std::move(fd), size};
}

caf::expected<memory_view> shared_memory::view(unique_fd fd, std::size_t limit) {
  auto file = adopt(std::move(fd), limit);
  if (!file)
    return std::move(file.error());
  return file->map();
}

caf::expected<memory_view> shared_memory::map() const {
  if (size_ == 0)
    return memory_view{};
  auto start = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_.get(), 0);
  if (start == MAP_FAILED)
    return refused("mmap");
  return memory_view{std::span{static_cast<const std::byte*>(start), size_}};
}

} // namespace lathe::gpu
