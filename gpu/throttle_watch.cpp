#include "gpu/throttle_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lathe::gpu {

namespace {

// nvmlClocksEventReason* of nvml.h, the parts of others before the whole.
constexpr std::pair<std::uint64_t, const char*> slowdowns[] = {
  {0x40, "thermal slowdown by the hardware"},
  {0x80, "power brake"},
  {0x20, "thermal slowdown"},
  {0x08, "slowdown by the hardware"},
};

constexpr double least_clock = 0.75; // of the fastest, as in nvbench

constexpr double first_rest = 0.02; // [seconds]
constexpr double longest_rest = 0.5;
constexpr std::size_t most_in_a_row = 16; // rests of 6 s, all together
constexpr std::size_t most_discarded = 64;

} // namespace

bool throttle_watch::counts(const std::optional<clock_reading>& before,
                            const std::optional<clock_reading>& after) {
  for (auto* x : {&before, &after})
    if (*x)
      fastest_ = std::max(fastest_, (*x)->clock);
  if (!is_throttled(before) && !is_throttled(after)) {
    in_a_row_ = 0;
    return true;
  }
  ++discarded_;
  ++in_a_row_;
  return false;
}

bool throttle_watch::is_throttled(const std::optional<clock_reading>& x) {
  if (!x)
    return false;
  if (!x->reasons) {
    // Between blocks the clock may be on its way up or down; so far down it is not in a moment.
    if (x->clock >= least_clock * fastest_)
      return false;
    evidence_ = fmt::format("{:.0f} MHz, and {:.0f} before", x->clock, fastest_);
    return true;
  }
  for (auto& [bit, name] : slowdowns)
    if ((*x->reasons & bit) != 0) {
      evidence_ = fmt::format("{}, {:.0f} of {:.0f} MHz", name, x->clock, x->full);
      return true;
    }
  return false;
}

double throttle_watch::rest() const {
  if (in_a_row_ == 0)
    return 0;
  return std::min(longest_rest, std::ldexp(first_rest, static_cast<int>(in_a_row_) - 1));
}

bool throttle_watch::is_hopeless() const {
  return in_a_row_ >= most_in_a_row || discarded_ >= most_discarded;
}

} // namespace lathe::gpu
