#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::gpu {

/// What a worker puts before each reply, so that code which shares its process but not its key
/// cannot speak for it: SipHash-2-4 of the text (Aumasson and Bernstein, "SipHash: a fast
/// short-input PRF", 2012) as 16 hexadecimal digits.
class reply_seal {
public:
  static constexpr std::size_t size = 16;       ///< of a seal [characters]
  static constexpr std::size_t key_digits = 32; ///< of a key's text [characters]

  reply_seal() = default;

  /// A key that nobody knows.
  static reply_seal random();

  /// Reads a key's text. Anything else than hexadecimal digits counts as zeros.
  static reply_seal from_text(std::string_view digits);

  std::string key_text() const;

  /// Returns the seal of `text`.
  std::string of(std::string_view text) const;

  /// Takes the seal off `message`. Returns false for a message whose seal is not right.
  bool open(std::string_view& message) const;

private:
  std::uint64_t k0_ = 0;
  std::uint64_t k1_ = 0;
};

} // namespace lathe::gpu
