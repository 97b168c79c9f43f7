#pragma once

#include <cstdint>
#include <limits>

namespace lathe::llm_server {

/// Random bits in eight bytes of state, which every stream can afford: SplitMix64 (Steele, Lea,
/// Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class random_source {
public:
  using result_type = std::uint64_t;

  explicit random_source(std::uint64_t seed) : state_(seed) {
    // nop
  }

  static constexpr result_type min() {
    return 0;
  }

  static constexpr result_type max() {
    return std::numeric_limits<result_type>::max();
  }

  result_type operator()() {
    auto x = state_ += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }

  /// From 0, without 1.
  double fraction() {
    return static_cast<double>((*this)() >> 11) * 0x1p-53;
  }

private:
  std::uint64_t state_;
};

} // namespace lathe::llm_server
