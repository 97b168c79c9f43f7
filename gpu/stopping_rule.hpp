#pragma once

#include "gpu/statistics.hpp"

#include <array>

namespace lathe::gpu {

/// Why a measurement ended.
enum class stop_reason : std::uint8_t {
  precise,     ///< the interval is narrow enough
  clear,       ///< so clearly faster or slower that a wider interval will do
  out_of_time, ///< the time budget is used up; the interval is what it is
  hopeless,    ///< so clearly slower than the reference that precision is wasted on it
};

struct stopping_options {
  double half_width = 0.005;       ///< of the speed-up's 95 % interval, relative
  double clear_half_width = 0.01;  ///< of a speed-up whose interval stays away from 1 by ...
  double clear_distance = 0.05;    ///< ... this much
  std::size_t fewest_samples = 20; ///< a side; not asked of a hopeless candidate
  double budget = 2;               ///< [seconds]
  double patience = 0; ///< [seconds] nothing is decided before: a gust of the host's may
                       ///< hit one side in all of the first few short pairs
  double hopeless = 0.9;           ///< a speed-up that even the interval's upper end stays under
};

/// Decides when enough has been measured. Fed pairs of blocks, and asked whether that is it. Who
/// has reasons of their own may go on afterwards: the result covers those pairs, the reason stays.
///
/// Whatever the budget, it goes on until there are pairs enough for an interval, and time enough. A
/// look at the interval costs time and is one more chance to stop by luck, so looks get rarer as
/// pairs gather: each waits for an eighth more of them.
class stopping_rule {
public:
  explicit stopping_rule(stopping_options options = {});

  /// Adds what a pair of alternating blocks measured.
  /// @param elapsed [seconds] since the measurement began
  void add(block reference, block candidate, double elapsed);

  bool is_finished() const {
    return reason_.has_value();
  }

  /// Why it finished; nothing before.
  std::optional<stop_reason> reason() const {
    return reason_;
  }

  /// What the pairs up to the latest look say, which is when it finished, or later. Nothing when they
  /// allow no interval.
  const std::optional<timing>& result() const {
    return result_;
  }

private:
  bool precise() const;
  bool clear() const;
  bool narrower_than(double half_width) const;
  bool hopeless(double elapsed) const;

  stopping_options options_;
  std::vector<block> reference_;
  std::vector<block> candidate_;
  std::size_t reference_samples_ = 0;
  std::size_t candidate_samples_ = 0;
  std::size_t next_look_ = fewest_blocks; // [pairs]
  std::optional<timing> result_;
  std::optional<stop_reason> reason_;
};

} // namespace lathe::gpu

namespace lathe {

template <>
struct enum_names<gpu::stop_reason> {
  static constexpr std::array<std::string_view, 4> value = {"precise", "clear", "out_of_time",
                                                            "hopeless"};
};

} // namespace lathe
