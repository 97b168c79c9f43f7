#include "gpu/neighbour_watch.hpp"

namespace lathe::gpu {

namespace {

// Times as long as where nobody is. Probes of one idle processor differ by 1.6, as its clock does
// (13 and 21 us on a host with an H200); beside a busy neighbour they take 2 to 3 times as long.
constexpr double slow = 1.75;

constexpr std::size_t most_in_a_row = 8;
constexpr std::size_t most_discarded = 32;

} // namespace

bool neighbour_watch::counts(double probe, double calm) {
  if (has_given_up())
    return true;
  if (calm <= 0 || probe <= slow * calm) {
    in_a_row_ = 0;
    return true;
  }
  ++discarded_;
  ++in_a_row_;
  return false;
}

bool neighbour_watch::has_given_up() const {
  return in_a_row_ >= most_in_a_row || discarded_ >= most_discarded;
}

} // namespace lathe::gpu
