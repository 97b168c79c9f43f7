#include "gpu/processes/input_lock.hpp"

#include "gpu/processes/hex_words.hpp"

#include <array>
#include <cstring>

namespace lathe::gpu {

namespace {

// -- Philox4x32-10 ------------------------------------------------------------------------

constexpr std::size_t unit = 16; // [bytes] that one value of the counter gives
constexpr std::size_t lanes = 8; // units that are made together, for vector instructions
constexpr std::size_t batch = lanes * unit;
constexpr int rounds = 10;
constexpr std::uint32_t multipliers[] = {0xD2511F53, 0xCD9E8D57};
constexpr std::uint32_t steps[] = {0x9E3779B9, 0xBB67AE85}; // of the key, from round to round

using words = std::array<std::uint32_t, lanes>;

std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}

std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

// Writes the output for the counters from `first` on.
void generate(const input_key& x, std::uint64_t first, unsigned char* target) {
  words c0, c1, c2, c3;
  for (std::size_t i = 0; i < lanes; ++i) {
    c0[i] = low(first + i);
    c1[i] = high(first + i);
    c2[i] = low(x.nonce);
    c3[i] = high(x.nonce);
  }
  auto k0 = low(x.key);
  auto k1 = high(x.key);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < lanes; ++i) {
      auto left = std::uint64_t{multipliers[0]} * c0[i];
      auto right = std::uint64_t{multipliers[1]} * c2[i];
      c0[i] = high(right) ^ c1[i] ^ k0;
      c1[i] = low(right);
      c2[i] = high(left) ^ c3[i] ^ k1;
      c3[i] = low(left);
    }
    k0 += steps[0];
    k1 += steps[1];
  }
  for (std::size_t i = 0; i < lanes; ++i) {
    std::uint32_t made[] = {c0[i], c1[i], c2[i], c3[i]};
    std::memcpy(target + i * unit, made, unit); // little endian, as all machines with CUDA are
  }
}

} // namespace

input_key input_key::random() {
  return {secret_word(), secret_word()};
}

input_key input_key::from_text(std::string_view text) {
  if (text.size() < digits)
    return {};
  return {from_digits(text), from_digits(text.substr(word_digits))};
}

std::string input_key::text() const {
  return to_digits(key) + to_digits(nonce);
}

void toggle_lock(const input_key& x, const unsigned char* source, unsigned char* target,
                 std::size_t bytes) {
  std::array<unsigned char, batch> pad;
  for (std::size_t at = 0; at < bytes; at += batch) {
    generate(x, at / unit, pad.data());
    if (bytes - at >= batch)
      for (std::size_t i = 0; i < batch; ++i)
        target[at + i] = source[at + i] ^ pad[i];
    else
      for (std::size_t i = 0; i < bytes - at; ++i)
        target[at + i] = source[at + i] ^ pad[i];
  }
}

} // namespace lathe::gpu
