#pragma once

#include <caf/expected.hpp>

#include <filesystem>
#include <optional>
#include <utility>

namespace lathe::runtime {

/// Holds a file that at most one process may hold at a time. The kernel lets go of it when the
/// process ends, however it ends. The file says who holds it and stays behind.
class file_lock {
public:
  /// Takes the lock. Fails with `user_error`, naming the process, when another one has it.
  static caf::expected<file_lock> take(const std::filesystem::path& file);

  /// Returns the id of the process that holds the lock: 0 when it is not known, nothing when nobody
  /// does. Takes nothing, so it is in nobody's way.
  static std::optional<int> holder(const std::filesystem::path& file);

  file_lock(file_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {
    // nop
  }

  file_lock& operator=(file_lock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  ~file_lock();

private:
  explicit file_lock(int descriptor) : descriptor_(descriptor) {
    // nop
  }

  int descriptor_;
};

} // namespace lathe::runtime
