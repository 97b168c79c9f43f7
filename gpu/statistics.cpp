#include "gpu/statistics.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace lathe::gpu {

namespace {

constexpr double quantile_975 = 1.959964; // of the normal distribution

bool usable(const std::vector<block>& blocks) {
  return std::all_of(blocks.begin(), blocks.end(), [](const block& x) {
    return !x.empty()
           && std::all_of(x.begin(), x.end(), [](double y) { return y > 0 && std::isfinite(y); });
  });
}

std::vector<double> all_samples(const std::vector<block>& blocks) {
  std::vector<double> result;
  for (auto& x : blocks)
    result.insert(result.end(), x.begin(), x.end());
  return result;
}

// The means of every two of `values`, each with itself as well.
std::vector<double> walsh_averages(const std::vector<double>& values) {
  std::vector<double> result;
  result.reserve(values.size() * (values.size() + 1) / 2);
  for (auto x = values.begin(); x != values.end(); ++x)
    for (auto y = values.begin(); y <= x; ++y)
      result.push_back((*x + *y) / 2);
  return result;
}

// How many of the means of n values lie outside the interval of 95 %, at each end.
std::size_t outside(std::size_t n) {
  auto pairs = static_cast<double>(n);
  auto middle = pairs * (pairs + 1) / 4;
  auto deviation = std::sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24);
  return static_cast<std::size_t>(std::max(1.0, std::floor(middle - quantile_975 * deviation))) - 1;
}

double nth(std::vector<double>& values, std::size_t rank) {
  auto place = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), place, values.end());
  return *place;
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
  timing result;
  result.reference = median(all_samples(reference));
  result.candidate = median(all_samples(candidate));
  std::vector<double> ratios;
  for (std::size_t i = 0; i < n; ++i)
    ratios.push_back(std::log(median(reference[i]) / median(candidate[i])));
  auto means = walsh_averages(ratios);
  result.speedup = std::exp(median(means));
  result.low = std::min(result.speedup, std::exp(nth(means, outside(n))));
  result.high = std::max(result.speedup, std::exp(nth(means, means.size() - 1 - outside(n))));
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
