#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lathe::gpu {

/// What the driver says about a GPU's clock.
struct clock_reading {
  double clock = 0;                     ///< [MHz] of the multiprocessors now
  double full = 0;                      ///< [MHz] that they may reach
  std::optional<std::uint64_t> reasons; ///< for not reaching it, bits of nvml.h; none: not told
};

/// Says which pairs of blocks count while a GPU may be throttled, from readings before and after
/// each pair. Pure: who feeds it asks the driver. A reading that could not be had says nothing.
///
/// A pair is throttled when a reading shows that the GPU protects itself or its host: too hot (by
/// driver or by hardware), the power brake, or a slowdown by hardware. That comes and goes, hits
/// whichever side runs then, and a rest helps. Other reasons are states of a healthy GPU: idle;
/// clocks that somebody has set; and the power cap, which a product of matrices reaches on every
/// card and as long as it runs. Both sides of a pair meet that one alike, and no rest ends it.
///
/// Where the driver names no reasons, the rule of nvbench: a clock under three quarters of full
/// speed, which is here the highest that was seen, since clocks may be set lower.
class throttle_watch {
public:
  /// Tells whether a pair counts.
  bool counts(const std::optional<clock_reading>& before,
              const std::optional<clock_reading>& after);

  /// Pairs that did not count.
  std::size_t discarded() const {
    return discarded_;
  }

  /// [seconds] to leave the GPU alone after a pair that did not count: twice as long each time,
  /// since heat goes slowly.
  double rest() const;

  /// So many pairs were throttled, in a row or all together, that there is no point in going on.
  bool is_hopeless() const;

  /// Returns "thermal slowdown, 1005 of 1980 MHz": the last reason to discard a pair.
  const std::string& evidence() const {
    return evidence_;
  }

private:
  bool is_throttled(const std::optional<clock_reading>& x);

  std::size_t discarded_ = 0;
  std::size_t in_a_row_ = 0;
  double fastest_ = 0; // [MHz]
  std::string evidence_;
};

} // namespace lathe::gpu
