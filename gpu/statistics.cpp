#include "gpu/statistics.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>

namespace lathe::gpu {

namespace {

constexpr std::size_t replicates = 2000;

/// How often a replicate drew each block.
using weights = std::vector<std::uint32_t>;

// One side's samples, laid out so that the median of a replicate is one walk over few of them.
class pooled_samples {
public:
  explicit pooled_samples(const std::vector<block>& blocks) : below_(blocks.size()) {
    auto low = std::numeric_limits<double>::max();
    auto high = std::numeric_limits<double>::lowest();
    for (auto sorted : blocks) {
      std::sort(sorted.begin(), sorted.end());
      low = std::min(low, sorted[(sorted.size() - 1) / 2]);
      high = std::max(high, sorted[sorted.size() / 2]);
      sizes_.push_back(sorted.size());
    }
    // However the blocks are weighted, the median lies between the medians of the blocks.
    for (std::size_t i = 0; i < blocks.size(); ++i)
      for (auto value : blocks[i])
        if (value < low)
          ++below_[i];
        else if (value <= high)
          middle_.push_back({value, i});
    std::sort(middle_.begin(), middle_.end(),
              [](const sample& x, const sample& y) { return x.value < y.value; });
  }

  // The median when block i counts `times[i]` times.
  double median(const weights& times) const {
    auto total = std::inner_product(sizes_.begin(), sizes_.end(), times.begin(), std::size_t{0});
    auto seen = std::inner_product(below_.begin(), below_.end(), times.begin(), std::size_t{0});
    auto i = middle_.begin();
    auto value_at = [&](std::size_t rank) {
      while (seen + times[i->block] <= rank)
        seen += times[i++->block];
      return i->value;
    };
    auto lower = value_at((total - 1) / 2);
    return (lower + value_at(total / 2)) / 2;
  }

private:
  struct sample {
    double value;
    std::size_t block;
  };

  std::vector<sample> middle_;     // sorted; all samples that can be a median
  std::vector<std::size_t> below_; // by block: samples under `middle_`
  std::vector<std::size_t> sizes_; // by block: all samples
};

bool usable(const std::vector<block>& blocks) {
  return std::all_of(blocks.begin(), blocks.end(), [](const block& x) {
    return !x.empty()
           && std::all_of(x.begin(), x.end(), [](double y) { return y > 0 && std::isfinite(y); });
  });
}

// Draws as many blocks as there are. Not `uniform_int_distribution`, whose answers differ between
// standard libraries.
void draw(std::mt19937& random, weights& times) {
  std::fill(times.begin(), times.end(), 0);
  for (std::size_t i = 0; i < times.size(); ++i)
    ++times[(std::uint64_t{random()} * times.size()) >> 32];
}

double normal_cdf(double z) {
  return std::erfc(-z / std::sqrt(2.0)) / 2;
}

// The 97.5 % quantile of Student's t by its expansion around the normal quantile (Abramowitz and
// Stegun 26.7.5); within 0.2 % from five degrees of freedom on.
double student_t(double freedom) {
  return 1.95996 + (2.37227 + (2.82250 + 2.55585 / freedom) / freedom) / freedom;
}

// The share of replicates to leave out at each end, for an interval of 95 % from n pairs.
double tail(std::size_t n) {
  auto pairs = static_cast<double>(n);
  return normal_cdf(-std::sqrt(pairs / (pairs - 1)) * student_t(pairs - 1));
}

} // namespace

double quantile(std::vector<double> values, double q) {
  assert(!values.empty() && q >= 0 && q <= 1);
  auto position = q * static_cast<double>(values.size() - 1);
  auto rank = static_cast<std::size_t>(position);
  auto nth = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), nth, values.end());
  if (nth + 1 == values.end())
    return *nth;
  auto next = *std::min_element(nth + 1, values.end());
  return *nth + (position - static_cast<double>(rank)) * (next - *nth);
}

double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

std::optional<timing> ratio_interval(const std::vector<block>& reference,
                                     const std::vector<block>& candidate) {
  auto n = reference.size();
  if (n < fewest_blocks || candidate.size() != n || !usable(reference) || !usable(candidate))
    return std::nullopt;
  auto ours = pooled_samples{reference};
  auto theirs = pooled_samples{candidate};
  auto once = weights(n, 1);
  timing result;
  result.reference = ours.median(once);
  result.candidate = theirs.median(once);
  result.speedup = result.reference / result.candidate;
  std::mt19937 random{20'011'009}; // any fixed number
  std::vector<double> ratios(replicates);
  auto times = weights(n);
  for (auto& ratio : ratios) {
    draw(random, times);
    ratio = ours.median(times) / theirs.median(times);
  }
  result.low = std::min(result.speedup, quantile(ratios, tail(n)));
  result.high = std::max(result.speedup, quantile(ratios, 1 - tail(n)));
  for (auto& x : candidate)
    result.samples += static_cast<std::int32_t>(x.size());
  result.blocks = static_cast<std::int32_t>(n);
  return result;
}

timing widened(timing x, double share) {
  x.low *= 1 - share;
  x.high *= 1 + share;
  return x;
}

double relative_half_width(const timing& x) {
  return (x.high - x.low) / (2 * x.speedup);
}

} // namespace lathe::gpu
