#include "gpu/verifier/upload.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <thread>
#include <vector>

#include <unistd.h>

namespace lathe::verifier {

namespace {

// Large enough for the bus to be at full speed, small enough for a processor's cache.
constexpr std::size_t piece_size = 4 << 20; // [bytes]

// A single thread moves a fraction of what memory and bus can do, and is not worth starting for less
// than its share [bytes].
constexpr std::size_t most_readers = 4;
constexpr std::size_t least_share = 4 * piece_size;

at::Tensor bytes_on(at::Device place, std::size_t size) {
  return at::empty({static_cast<std::int64_t>(size)}, at::TensorOptions(at::kByte).device(place));
}

// Page-locked memory whose content is on its way to a GPU until `sent` has happened. Torch keeps the
// memory for the next one. It must not go with its thread: what it asks of torch is gone by then.
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
  std::array<piece, 2> pieces{piece{to.device().type()}, piece{to.device().type()}};
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

bool read_into(const at::Tensor& to, int fd, std::uint64_t offset) {
  auto size = static_cast<std::size_t>(to.numel());
  return to.is_cpu() ? copy_out(fd, offset, to.data_ptr(), size) : send(fd, offset, to);
}

// Each thread a part of the bytes.
bool read_side_by_side(const at::Tensor& to, int fd, std::uint64_t offset) {
  auto size = static_cast<std::size_t>(to.numel());
  auto threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, most_readers);
  auto share = std::max(least_share, (size / threads / piece_size + 1) * piece_size);
  std::vector<std::future<bool>> others;
  for (auto begin = share; begin < size; begin += share)
    others.push_back(std::async(std::launch::async, [&to, fd, offset, begin, share, size] {
      c10::InferenceMode no_gradients;
      auto part = to.narrow(0, static_cast<std::int64_t>(begin),
                            static_cast<std::int64_t>(std::min(share, size - begin)));
      return read_into(part, fd, offset + begin);
    }));
  auto complete =
    read_into(to.narrow(0, 0, static_cast<std::int64_t>(std::min(share, size))), fd, offset);
  for (auto& x : others)
    complete = x.get() && complete; // throws what was thrown there; the others' destructors wait
  return complete;
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
  return read_side_by_side(result, fd, offset) ? result : at::Tensor{};
}

} // namespace lathe::verifier
