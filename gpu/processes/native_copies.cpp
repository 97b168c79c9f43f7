#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/native_driver.hpp"

#include <cuda.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <exception>
#include <list>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lathe::native {

namespace {

// Large enough for the bus to be at full speed, small enough for a processor's cache.
constexpr std::size_t piece_size = 1 << 20; // [bytes]

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

// A part of a file as memory that can be written to.
class window {
public:
  explicit window(const file_part& x) {
    auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    auto before = x.offset % page;
    size_ = x.bytes + before;
    start_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, x.fd,
                    static_cast<off_t>(x.offset - before));
    if (start_ == MAP_FAILED)
      throw std::runtime_error{std::string{"a file cannot be mapped: "} + std::strerror(errno)};
    content_ = static_cast<char*>(start_) + before;
  }

  window(const window&) = delete;
  window& operator=(const window&) = delete;

  ~window() {
    ::munmap(start_, size_);
  }

  char* content() const {
    return content_;
  }

private:
  void* start_ = nullptr;
  std::size_t size_ = 0;
  char* content_ = nullptr;
};

struct kept_file {
  struct stat info;
  window content;

  kept_file(int fd, const struct stat& found)
    : info(found), content(file_part{fd, 0, static_cast<std::size_t>(found.st_size)}) {
    // nop
  }
};

// The last one first.
std::list<kept_file>& kept_files() {
  static std::list<kept_file> all;
  return all;
}

// Returns the whole file as memory, mapped for as long as it is among those that were asked for
// last: to map all pages of a file takes longer than to fill them.
char* kept_window(int fd) {
  constexpr std::size_t most = 2; // one is compared while the other is written
  auto& all = kept_files();
  struct stat info {};
  if (::fstat(fd, &info) != 0)
    throw std::runtime_error{std::string{"not a file: "} + std::strerror(errno)};
  auto same = [&](const kept_file& x) {
    return x.info.st_dev == info.st_dev && x.info.st_ino == info.st_ino
           && x.info.st_size == info.st_size;
  };
  if (auto known = std::ranges::find_if(all, same); known != all.end()) {
    all.splice(all.begin(), all, known);
  } else {
    all.emplace_front(fd, info);
    if (all.size() > most)
      all.pop_back();
  }
  return all.front().content.content();
}

// Has the kernel find all pages of a piece at once, where it can: not one fault after another.
void touch(char* begin, std::size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto before = reinterpret_cast<std::uintptr_t>(begin) % page;
  ::madvise(begin - before, bytes + before, MADV_POPULATE_WRITE);
#endif
}

// A stream and page-locked memory for all threads that copy, got once and kept: the driver takes
// long over each such request where it makes contexts for others meanwhile.
struct dock {
  dock() {
    check(cuda().create_stream(&stream, CU_STREAM_NON_BLOCKING));
    void* start = nullptr;
    check(cuda().allocate_on_host(&start, most_copying * pieces * piece_size,
                                  CU_MEMHOSTALLOC_PORTABLE));
    memory = static_cast<char*>(start);
  }

  static constexpr std::size_t pieces = 2; // of each thread

  CUstream stream = nullptr;
  char* memory = nullptr;
};

const dock& the_dock() {
  static const dock instance;
  return instance;
}

// Carries parts of files to the device and back: while one piece is on its way, the next is read or
// the last one written.
class carrier {
public:
  /// @param number of all that work at once
  explicit carrier(std::size_t number) : stream_(the_dock().stream) {
    auto* memory = the_dock().memory + number * dock::pieces * piece_size;
    for (auto& x : pieces_) {
      x.memory = std::exchange(memory, memory + piece_size);
      check(cuda().create_event(&x.moved, CU_EVENT_DISABLE_TIMING));
    }
  }

  void send(const file_part& from, CUdeviceptr target) {
    for (std::size_t done = 0, turn = 0; done < from.bytes; done += piece_size, ++turn) {
      auto& x = pieces_[turn % pieces_.size()];
      auto count = std::min(piece_size, from.bytes - done);
      check(cuda().wait_for_event(x.moved));
      read_file(from.fd, from.offset + done, x.memory, count);
      check(cuda().send(target + done, x.memory, count, stream_));
      check(cuda().record_event(x.moved, stream_));
    }
    for (auto& x : pieces_)
      check(cuda().wait_for_event(x.moved));
  }

  void fetch(CUdeviceptr source, std::size_t bytes, char* target) {
    std::size_t landed = 0;
    for (std::size_t begun = 0, turn = 0; landed < bytes; ++turn) {
      if (begun < bytes) {
        auto& x = pieces_[turn % pieces_.size()];
        auto count = std::min(piece_size, bytes - begun);
        check(cuda().receive(x.memory, source + begun, count, stream_));
        check(cuda().record_event(x.moved, stream_));
        begun += count;
      }
      if (turn == 0)
        continue; // nothing has landed before the second piece is on its way
      auto& x = pieces_[(turn - 1) % pieces_.size()];
      auto count = std::min(piece_size, bytes - landed);
      check(cuda().wait_for_event(x.moved));
      touch(target + landed, count);
      std::memcpy(target + landed, x.memory, count);
      landed += count;
    }
  }

private:
  struct piece {
    char* memory = nullptr;
    CUevent moved = nullptr;
  };

  CUstream stream_;
  std::array<piece, dock::pieces> pieces_;
};

carrier& carrier_of(std::size_t number) {
  static std::deque<carrier> all;
  while (all.size() <= number)
    all.emplace_back(all.size());
  return all[number];
}

// A carrier's part of the work, on a thread of its own if there is one to be had.
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

// Shares out so many bytes to several threads; `carry` takes a carrier, where its part begins, and
// how long that is.
template <class Carry>
void share_out(std::size_t bytes, Carry carry) {
  CUcontext context = nullptr;
  check(cuda().current_context(&context));
  check(cuda().synchronize()); // what still uses the memory goes first
  auto share = std::max(least_share, (bytes / most_copying / piece_size + 1) * piece_size);
  auto count = (bytes + share - 1) / share;
  if (count == 0)
    return;
  carrier_of(count - 1); // all of them, before others use the list
  auto work = [&](std::size_t number) {
    auto begin = number * share;
    check(cuda().set_context(context));
    carry(carrier_of(number), begin, std::min(share, bytes - begin));
  };
  std::deque<errand> others;
  for (std::size_t i = 1; i < count; ++i)
    others.emplace_back([&work, i] { work(i); });
  work(0);
  for (auto& x : others)
    x.finish();
}

} // namespace

void copy_to_device(const file_part& from, std::uintptr_t target) {
  share_out(from.bytes, [&](carrier& x, std::size_t begin, std::size_t size) {
    x.send({from.fd, from.offset + begin, size}, target + begin);
  });
}

void copy_to_file(std::uintptr_t source, const file_part& to, bool again) {
  std::optional<window> once;
  if (!again)
    once.emplace(to);
  auto* target = once ? once->content() : kept_window(to.fd) + to.offset;
  share_out(to.bytes, [&](carrier& x, std::size_t begin, std::size_t size) {
    x.fetch(source + begin, size, target + begin);
  });
}

void forget_files() {
  kept_files().clear();
}

} // namespace lathe::native
