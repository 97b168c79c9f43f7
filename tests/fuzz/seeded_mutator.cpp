#include "tests/fuzz/seeded_mutator.hpp"

#include <algorithm>
#include <cstdint>
#include <random>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

// One input in so many is a seed again, before it is changed.
constexpr unsigned seed_interval = 64;

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  static const auto all = lathe::fuzz::seeds();
  std::minstd_rand random{seed};
  if (size <= 1 || random() % seed_interval == 0) {
    auto& chosen = all[random() % all.size()];
    size = std::min(chosen.size(), most);
    std::copy_n(chosen.begin(), size, data);
  }
  return LLVMFuzzerMutate(data, size, most);
}
