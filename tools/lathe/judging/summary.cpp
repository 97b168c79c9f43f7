#include "tools/lathe/judging/summary.hpp"

#include "tools/lathe/judging/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lathe::judging {

namespace {

constexpr double quantile_975 = 1.96; // of the normal distribution

// Intervals are combined as logarithms, which are symmetric enough: the variance of a mean is the
// sum of variances over the square of their number.
class speedup_mean {
public:
  void add(const timing& x) {
    ++count_;
    logarithms_ += std::log(x.speedup);
    auto error = (std::log(x.high) - std::log(x.low)) / (2 * quantile_975);
    variances_ += error * error;
  }

  std::optional<mean_speedup> result() const {
    if (count_ == 0)
      return std::nullopt;
    auto middle = logarithms_ / count_;
    auto half = quantile_975 * std::sqrt(variances_) / count_;
    return mean_speedup{std::exp(middle), std::exp(middle - half), std::exp(middle + half), count_};
  }

private:
  std::int32_t count_ = 0;
  double logarithms_ = 0;
  double variances_ = 0;
};

// "fast_1 0.40 to 0.60 (4 of 10, and 2 ties)"
std::string describe(const fast_share& x) {
  auto share = [&](std::int32_t count) { return static_cast<double>(count) / x.of; };
  auto result = fmt::format("fast_{:g} {:.2f}", x.p, share(x.sure));
  if (x.ties > 0)
    result += fmt::format(" to {:.2f}", share(x.sure + x.ties));
  result += fmt::format(" ({} of {}", x.sure, x.of);
  if (x.ties > 0)
    result += fmt::format(", and {} tie{}", x.ties, x.ties == 1 ? "" : "s");
  return result + ")";
}

} // namespace

fast_share fast_curve::at(double p) const {
  auto above = [p](const std::vector<double>& ends) {
    return static_cast<std::int32_t>(ends.end() - std::ranges::upper_bound(ends, p));
  };
  auto sure = above(lows);
  return {p, sure, above(highs) - sure, of};
}

summary summarise(const std::vector<row>& rows, std::size_t judge, std::size_t idle_tasks) {
  summary result;
  result.idle_tasks = static_cast<std::int32_t>(idle_tasks);
  result.curve.of = result.idle_tasks;
  speedup_mean speedups;
  for (auto& row : rows) {
    auto& judgement = row.judgements[judge];
    auto* found = judgement.verdict();
    if (found == nullptr) {
      ++result.unjudged;
      continue;
    }
    if (!judgement.degenerate.empty()) {
      ++result.degenerate;
      continue;
    }
    ++result.outcomes[found->outcome];
    ++result.curve.of;
    if (!found->correct() || !found->timing)
      continue;
    speedups.add(*found->timing);
    result.curve.lows.push_back(found->timing->low);
    result.curve.highs.push_back(found->timing->high);
  }
  std::ranges::sort(result.curve.lows);
  std::ranges::sort(result.curve.highs);
  result.fast = {result.curve.at(1), result.curve.at(2)};
  result.speedup = speedups.result();
  return result;
}

std::string format_summary(const summary& x) {
  std::vector<std::string> parts;
  for (auto& [what, count] : x.outcomes)
    parts.push_back(fmt::format("{} {}", count, in_words(what)));
  if (parts.empty())
    parts.push_back("nothing to count");
  auto result = fmt::format("{}\n", fmt::join(parts, " · "));
  parts.clear();
  if (x.speedup)
    parts.push_back(fmt::format("geomean {:.2f}x [{:.2f}, {:.2f}] over {} correct",
                                x.speedup->value, x.speedup->low, x.speedup->high,
                                x.speedup->count));
  for (auto& share : x.fast)
    if (share.of > 0)
      parts.push_back(describe(share));
  if (!parts.empty())
    result += fmt::format("{}\n", fmt::join(parts, " · "));
  parts.clear();
  if (x.degenerate > 0)
    parts.push_back(fmt::format("{} on degenerate tasks, not counted above", x.degenerate));
  if (x.unjudged > 0)
    parts.push_back(fmt::format("{} without a verdict", x.unjudged));
  if (x.idle_tasks > 0)
    parts.push_back(fmt::format("{} task{} without a candidate, counted as not fast", x.idle_tasks,
                                x.idle_tasks == 1 ? "" : "s"));
  if (!parts.empty())
    result += fmt::format("{}\n", fmt::join(parts, " · "));
  return result;
}

} // namespace lathe::judging
