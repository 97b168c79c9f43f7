#include "gpu/verifier/upload.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <unistd.h>

namespace lathe::verifier {

namespace {

// Large enough for the bus to be at full speed, small enough for a processor's cache.
constexpr std::size_t piece_size = 4 << 20; // [bytes]

at::Tensor bytes_on(at::Device place, std::size_t size) {
  return at::empty({static_cast<std::int64_t>(size)}, at::TensorOptions(at::kByte).device(place));
}

// Page-locked memory whose content is on its way to a GPU until `sent` has happened.
struct piece {
  at::Tensor bytes;
  c10::Event sent;

  explicit piece(c10::DeviceType type)
    : bytes(at::empty({static_cast<std::int64_t>(piece_size)},
                      at::TensorOptions(at::kByte).pinned_memory(true))),
      sent(type) {
    // nop
  }
};

bool send(int fd, std::uint64_t offset, const at::Tensor& to) {
  thread_local std::array<piece, 2> pieces{piece{to.device().type()}, piece{to.device().type()}};
  auto stream = c10::impl::VirtualGuardImpl{to.device().type()}.getStream(to.device());
  auto size = static_cast<std::size_t>(to.numel());
  for (std::size_t done = 0, turn = 0; done < size; done += piece_size, ++turn) {
    auto& next = pieces[turn % pieces.size()];
    auto count = std::min(piece_size, size - done);
    next.sent.synchronize();
    if (!copy_out(fd, offset + done, next.bytes.data_ptr(), count))
      return false;
    auto part = static_cast<std::int64_t>(count);
    to.narrow(0, static_cast<std::int64_t>(done), part)
      .copy_(next.bytes.narrow(0, 0, part), /*non_blocking=*/true);
    next.sent.record(stream);
  }
  return true;
}

} // namespace

bool copy_out(int fd, std::uint64_t offset, void* to, std::size_t size) {
  auto* position = static_cast<char*>(to);
  while (size > 0) {
    auto n = ::pread(fd, position, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    position += n;
    offset += static_cast<std::uint64_t>(n);
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

at::Tensor upload(int fd, std::uint64_t offset, std::size_t size, at::Device place) {
  auto result = bytes_on(place, size);
  auto complete = place.is_cpu() ? copy_out(fd, offset, result.data_ptr(), size)
                                 : send(fd, offset, result);
  return complete ? result : at::Tensor{};
}

} // namespace lathe::verifier
