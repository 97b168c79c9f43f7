#include "gpu/processes/reply_seal.hpp"

#include "gpu/processes/hex_words.hpp"

#include <bit>
#include <cstring>

namespace lathe::gpu {

namespace {

std::uint64_t word_at(const char* from, std::size_t size) {
  std::uint64_t result = 0;
  std::memcpy(&result, from, size); // little endian, as all machines with CUDA are
  return result;
}

struct state {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void add(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

} // namespace

reply_seal reply_seal::random() {
  reply_seal result;
  result.k0_ = secret_word();
  result.k1_ = secret_word();
  return result;
}

reply_seal reply_seal::from_text(std::string_view text) {
  reply_seal result;
  result.k0_ = from_digits(text);
  result.k1_ = text.size() > word_digits ? from_digits(text.substr(word_digits)) : 0;
  return result;
}

std::string reply_seal::key_text() const {
  return to_digits(k0_) + to_digits(k1_);
}

std::string reply_seal::of(std::string_view text) const {
  state x{k0_ ^ 0x736f6d6570736575, k1_ ^ 0x646f72616e646f6d, k0_ ^ 0x6c7967656e657261,
          k1_ ^ 0x7465646279746573};
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8)
    x.add(word_at(text.data() + at, 8));
  x.add(word_at(text.data() + at, text.size() - at) | std::uint64_t{text.size()} << 56);
  x.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i)
    x.round();
  return to_digits(x.v0 ^ x.v1 ^ x.v2 ^ x.v3);
}

bool reply_seal::open(std::string_view& message) const {
  if (message.size() < size)
    return false;
  auto text = message.substr(size);
  if (of(text) != message.substr(0, size))
    return false;
  message = text;
  return true;
}

} // namespace lathe::gpu
