#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::gpu {

/// What locks inputs, so that they may lie in a process which shall not know them yet: their bytes
/// are added, without carry, to the output of Philox4x32-10 (Salmon, Moraes, Dror and Shaw,
/// "Parallel random numbers: as easy as 1, 2, 3", 2011). The same opens them. To find it from what
/// is known of inputs takes longer than a timed call, which is all it has to do.
struct input_key {
  std::uint64_t key = 0;   ///< Philox's: the lower half is its first word
  std::uint64_t nonce = 0; ///< the upper half of its counter, whose lower half counts 16 bytes each

  /// One that nobody knows.
  static input_key random();

  static constexpr std::size_t digits = 32; ///< of a key's text [characters]

  /// Reads a key's text. What is shorter gives the key of zeros.
  static input_key from_text(std::string_view text);

  std::string text() const;

  /// Returns what locks the inputs' tensor of this number, of those that are not empty: no two are
  /// locked alike.
  input_key of_tensor(std::size_t number) const {
    return {key, nonce + number};
  }

  bool operator==(const input_key&) const = default;
};

/// Locks what is open, or opens what is locked. `target` may be `source`.
/// @param bytes as many as there are, from the first one that was locked on
void toggle_lock(const input_key& x, const unsigned char* source, unsigned char* target,
                 std::size_t bytes);

} // namespace lathe::gpu
