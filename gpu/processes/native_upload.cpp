#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/native_driver.hpp"

#include <cuda.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include <unistd.h>

namespace lathe::native {

namespace {

// Large enough for the bus to be at full speed, small enough for a processor's cache.
constexpr std::size_t piece_size = 4 << 20; // [bytes]

void read_file(int fd, std::uint64_t offset, char* to, std::size_t bytes) {
  while (bytes > 0) {
    auto count = ::pread(fd, to, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      throw std::runtime_error{"the file is cut off"};
    to += count;
    offset += static_cast<std::uint64_t>(count);
    bytes -= static_cast<std::size_t>(count);
  }
}

// Sends one part of a file after the other: while one piece is on its way, the next is read. Kept
// for the next time, since page-locked memory is slow to get.
class reader {
public:
  reader() {
    check(cuda().create_stream(&stream_, CU_STREAM_NON_BLOCKING));
    for (auto& x : pieces_) {
      check(cuda().allocate_on_host(&x.memory, piece_size, CU_MEMHOSTALLOC_PORTABLE));
      check(cuda().create_event(&x.sent, CU_EVENT_DISABLE_TIMING));
    }
  }

  void send(int fd, std::uint64_t offset, CUdeviceptr target, std::size_t bytes) {
    for (std::size_t done = 0, turn = 0; done < bytes; done += piece_size, ++turn) {
      auto& x = pieces_[turn % pieces_.size()];
      auto count = std::min(piece_size, bytes - done);
      check(cuda().wait_for_event(x.sent));
      read_file(fd, offset + done, static_cast<char*>(x.memory), count);
      check(cuda().send(target + done, x.memory, count, stream_));
      check(cuda().record_event(x.sent, stream_));
    }
    check(cuda().wait_for_stream(stream_));
  }

private:
  struct piece {
    void* memory = nullptr;
    CUevent sent = nullptr;
  };

  CUstream stream_ = nullptr;
  std::array<piece, 2> pieces_;
};

reader& reader_of(std::size_t number) {
  static std::vector<reader> all;
  while (all.size() <= number)
    all.emplace_back();
  return all[number];
}

// A reader's part of the work, on a thread of its own if there is one to be had.
class errand {
public:
  template <class Work>
  explicit errand(Work work) {
    auto guarded = [this, work] {
      try {
        work();
      } catch (...) {
        problem_ = std::current_exception();
      }
    };
    try {
      thread_ = std::thread{guarded};
    } catch (const std::system_error&) { // the process has all the threads that it may have
      guarded();
    }
  }

  errand(const errand&) = delete;
  errand& operator=(const errand&) = delete;

  ~errand() {
    if (thread_.joinable())
      thread_.join();
  }

  void finish() {
    if (thread_.joinable())
      thread_.join();
    if (problem_)
      std::rethrow_exception(problem_);
  }

private:
  std::thread thread_;
  std::exception_ptr problem_;
};

} // namespace

void copy_to_device(const file_part& from, std::uintptr_t target) {
  CUcontext context = nullptr;
  check(cuda().current_context(&context));
  check(cuda().synchronize()); // what still uses the memory goes first
  auto share = std::max(least_share, (from.bytes / most_copying / piece_size + 1) * piece_size);
  auto count = (from.bytes + share - 1) / share;
  if (count > 0)
    reader_of(count - 1); // all of them, before others use the list
  auto send = [&](std::size_t number) {
    auto begin = number * share;
    check(cuda().set_context(context));
    reader_of(number).send(from.fd, from.offset + begin, target + begin,
                           std::min(share, from.bytes - begin));
  };
  std::deque<errand> others;
  for (std::size_t i = 1; i < count; ++i)
    others.emplace_back([&send, i] { send(i); });
  if (count > 0)
    send(0);
  for (auto& x : others)
    x.finish();
}

} // namespace lathe::native
