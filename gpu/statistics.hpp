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
/// `candidate[i]`. Returns the medians over all samples, the speed-up (their ratio) and its 95 %
/// interval, or nothing with fewer than `fewest_blocks` pairs, with a side that has more blocks
/// than the other, or with a block that is empty or holds a time that is not positive.
///
/// The interval comes from a bootstrap over pairs of blocks (Efron and Tibshirani, "An Introduction
/// to the Bootstrap", 1993, chapters 8 and 13): pairs are drawn with replacement, since samples of
/// one block are not independent, and what slows down a pair slows down both of its sides. A
/// percentile interval of few draws is too narrow; its tails are moved outwards as in Hesterberg,
/// "What Teachers Should Know About the Bootstrap", 2015, section 5.3. The seed is fixed, so the
/// same samples give the same interval.
std::optional<timing> ratio_interval(const std::vector<block>& reference,
                                     const std::vector<block>& candidate);

/// Widens the interval by what two processes that do the same differ in, as a share of the
/// speed-up: more samples of the same two processes cannot show it.
timing widened(timing x, double share);

/// Returns half the width of the speed-up's interval as a share of the speed-up.
double relative_half_width(const timing& x);

} // namespace lathe::gpu
