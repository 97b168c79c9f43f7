#pragma once

#include "messages/unique_fd.hpp"

#include <caf/expected.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace lathe::gpu {

/// A mapped file, read-only. Another process may still write to what it shows: whoever decides by
/// these bytes copies them first.
class memory_view {
public:
  memory_view() = default;
  explicit memory_view(std::span<const std::byte> bytes);
  memory_view(memory_view&& other) noexcept;
  memory_view& operator=(memory_view&& other) noexcept;
  ~memory_view();

  std::span<const std::byte> bytes() const {
    return bytes_;
  }

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

private:
  std::span<const std::byte> bytes_;
};

/// A memory file that travels between processes and cannot change its size.
class shared_memory {
public:
  /// Makes a file of zeros for another process to write to.
  static caf::expected<shared_memory> make(std::size_t size);

  /// Makes a file that holds `text` and that nobody can write to.
  static caf::expected<shared_memory> holding(std::string_view text);

  /// Takes over a file that another process made. Refuses one that could still shrink, which would
  /// kill whoever reads it, or that has more than `limit` bytes.
  static caf::expected<shared_memory> adopt(unique_fd fd, std::size_t limit);

  int fd() const {
    return fd_.get();
  }

  std::size_t size() const {
    return size_;
  }

  caf::expected<memory_view> map() const;

  /// Takes over a file that another process made, as `adopt`, and maps it.
  static caf::expected<memory_view> view(unique_fd fd, std::size_t limit);

private:
  shared_memory(unique_fd fd, std::size_t size) : fd_(std::move(fd)), size_(size) {}

  unique_fd fd_;
  std::size_t size_;
};

} // namespace lathe::gpu
