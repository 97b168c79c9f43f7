#pragma once

#include "messages/verdict.hpp"

#include <cstddef>
#include <optional>
#include <vector>

// What the numbers say. Pure and deterministic; times are in seconds.

namespace lathe::gpu {

/// The times of consecutive calls of one side [seconds].
using block = std::vector<double>;

/// Returns the value that a share `q` of `values` does not exceed, interpolated linearly between
/// neighbours (type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996).
/// @pre `values` is not empty and `q` is in [0, 1]
double quantile(std::vector<double> values, double q);

/// Returns the middle value, or the mean of the two middle ones.
/// @pre `values` is not empty
double median(std::vector<double> values);

/// With fewer pairs of blocks no interval keeps its promise: even the widest that five pairs can
/// give, from the smallest ratio to the largest, misses the median ratio in 2 of 2^5 cases.
inline constexpr std::size_t fewest_blocks = 6;

/// Compares two sides that were timed in alternating blocks: `reference[i]` ran next to
/// `candidate[i]`. Returns the medians over all samples, the speed-up and its 95 % interval, or
/// nothing with fewer than `fewest_blocks` pairs, with a side that has more blocks than the other,
/// or with a block that is empty or holds a time that is not positive.
///
/// The speed-up is not the ratio of those medians, but the centre of the ratios of the pairs, each
/// of the two blocks' medians: a host that is fast for a while and slow for a while slows down both
/// sides of a pair, and a median over all of them jumps between the two. The centre is that of
/// Hodges and Lehmann, the median of the means of all pairs of log ratios, and the interval belongs
/// to Wilcoxon's signed ranks (Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods",
/// 2014, sections 3.2 and 3.3). Both ask no more of the noise than that it favours no side.
std::optional<timing> ratio_interval(const std::vector<block>& reference,
                                     const std::vector<block>& candidate);

/// Widens the interval by what two processes that do the same differ in, as a share of the
/// speed-up: more samples of the same two processes cannot show it.
timing widened(timing x, double share);

/// Returns half the width of the speed-up's interval as a share of the speed-up.
double relative_half_width(const timing& x);

} // namespace lathe::gpu
