#include "gpu/timing_rules.hpp"

#include "gpu/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <vector>

namespace lathe::gpu {

namespace {

constexpr double cached_factor = 1.5;
constexpr double cached_gap = 20e-6; // [seconds] a difference below this is nobody's advantage
constexpr double cached_sigmas = 3;
constexpr double cleared_share = 1.0 / 3; // of the never-seen calls
constexpr double cleared_sigmas = 3;
constexpr double paired_cleared_share = 2.0 / 3;
constexpr double paired_cleared_factor = 1.25;
constexpr std::size_t neighbours = 12; // repeated calls that a never-seen one is held against
constexpr double least_reach = 3.2; // [standard deviations], as with 5 never-seen and 15 repeated
constexpr double saving_factor = 1.1;
constexpr double saving_sigmas = 3;
constexpr std::size_t fewest_compared = 5; // never-seen calls
constexpr double speedup_slack = 1.1;
constexpr double speedup_chance = 1.35e-3;     // three standard deviations
constexpr double steady_share = 0.4;           // of all calls
constexpr double steady_fresh_share = 1.0 / 3; // of the share of repeated calls
constexpr double hidden_factor = 2;
constexpr double hidden_slack = 2e-3; // [seconds] a block
constexpr std::size_t fewest_clocked_blocks = 5;
constexpr double hidden_share = 0.1;        // of a call of the reference
constexpr double hidden_call_slack = 20e-6; // [seconds]
constexpr double hidden_sigmas = 3;
constexpr double unjoined_slack = 20e-6; // [seconds] a call
constexpr double unjoined_part = 0.1;    // of a call
constexpr std::size_t fewest_paired_blocks = 12;
constexpr double paired_share = 0.1;   // of what the reference's block reports
constexpr double paired_slack = 50e-6; // [seconds] a block
constexpr double paired_sigmas = 4;
constexpr double background_share = 0.1;
constexpr double background_slack = 30e-3; // [seconds] a race
constexpr double clock_tolerance = 1.01;
constexpr double shortest_call = 100e-9; // [seconds] Python alone needs more to call anything

std::string milliseconds(double seconds) {
  return fmt::format("{:.3g} ms", seconds * 1e3);
}

// -- medians ----------------------------------------------------------------------------

// The standard error of a median, from quartiles, which a few slow calls do not move (McGill, Tukey
// and Larsen, "Variations of Box Plots", 1978).
double median_error(const std::vector<double>& x) {
  auto spread = quantile(x, 0.75) - quantile(x, 0.25);
  return 1.25 * spread / 1.35 / std::sqrt(static_cast<double>(x.size()));
}

// -- cached output ----------------------------------------------------------------------

struct bounds {
  double low;
  double high;
};

// Bounds of what separates x from y: the shifts that the rank test below would not reject (Hodges
// and Lehmann, "Estimates of Location Based on Rank Tests", 1963). The odd slow call does not move
// them.
bounds shift(const std::vector<double>& x, const std::vector<double>& y, double sigmas) {
  auto n = static_cast<double>(x.size());
  auto m = static_cast<double>(y.size());
  auto width = sigmas * std::sqrt((n + m + 1) / (12 * n * m)); // a share of all differences
  if (width >= 0.5)
    return {-HUGE_VAL, HUGE_VAL};
  std::vector<double> differences;
  differences.reserve(x.size() * y.size());
  for (auto a : x)
    for (auto b : y)
      differences.push_back(a - b);
  return {quantile(differences, 0.5 - width), quantile(differences, 0.5 + width)};
}

std::vector<double> logarithms(std::vector<double> x) {
  std::transform(x.begin(), x.end(), x.begin(), [](double y) { return std::log(y); });
  return x;
}

struct visits {
  explicit visits(std::span<const timed_call> calls) {
    for (auto& x : calls)
      (x.first_visit ? first : repeated).push_back(x.seconds);
  }

  bool empty() const {
    return first.empty() || repeated.empty();
  }

  double ratio() const {
    return median(first) / median(repeated);
  }

  double gap() const {
    return median(first) - median(repeated);
  }

  // The standard error of `gap`, from the spread of the repeated calls: who spreads his few
  // never-seen ones on purpose shall gain nothing by it.
  double error_of_few() const {
    auto share = static_cast<double>(repeated.size()) / static_cast<double>(first.size());
    return median_error(repeated) * std::sqrt(1 + share);
  }

  bounds gap_bounds(double sigmas) const {
    return shift(first, repeated, sigmas);
  }

  bounds log_ratio_bounds(double sigmas) const {
    return shift(logarithms(first), logarithms(repeated), sigmas);
  }

  std::vector<double> first;
  std::vector<double> repeated;
};

// By how many standard deviations x exceeds y in the rank test of Mann and Whitney ("On a Test of
// Whether one of Two Random Variables is Stochastically Larger than the Other", 1947).
double rank_excess(const std::vector<double>& x, std::vector<double> y) {
  std::sort(y.begin(), y.end());
  double wins = 0;
  for (auto value : x) {
    auto [from, to] = std::equal_range(y.begin(), y.end(), value);
    wins += static_cast<double>(from - y.begin()) + static_cast<double>(to - from) / 2;
  }
  auto n = static_cast<double>(x.size());
  auto m = static_cast<double>(y.size());
  return (wins - n * m / 2) / std::sqrt(n * m * (n + m + 1) / 12);
}

// What `rank_excess` is when every x exceeds every y: what so few of them can show at most.
double most_rank_excess(std::size_t x, std::size_t y) {
  auto n = static_cast<double>(x);
  auto m = static_cast<double>(y);
  return std::sqrt(3 * n * m / (n + m + 1));
}

// The repeated calls around one, without it: they met the same weather.
std::vector<double> neighbours_of(std::span<const timed_call> calls, std::size_t at) {
  std::vector<double> result;
  auto look = [&](std::size_t i) {
    if (i < calls.size() && !calls[i].first_visit)
      result.push_back(calls[i].seconds);
  };
  for (std::size_t distance = 1; distance < calls.size() && result.size() < neighbours;
       ++distance) {
    look(at - distance); // wraps around before the first call, and is out of range then
    look(at + distance);
  }
  return result;
}

double fastest_neighbour(std::span<const timed_call> calls, std::size_t at) {
  auto found = neighbours_of(calls, at);
  return found.empty() ? HUGE_VAL : *std::ranges::min_element(found);
}

// Whether never-seen inputs cost as much more than the reference's call beside them as repeated ones
// do. A host that is slow for a while is so for both, which `fastest_neighbour` cannot know.
bool is_cleared_by_pairs(std::span<const timed_call> candidate,
                         std::span<const timed_call> reference) {
  if (!std::ranges::equal(candidate, reference, {}, &timed_call::first_visit,
                          &timed_call::first_visit))
    return false;
  std::vector<timed_call> ratios;
  for (std::size_t i = 0; i < candidate.size(); ++i)
    ratios.push_back({candidate[i].seconds / reference[i].seconds, candidate[i].first_visit});
  auto found = visits{ratios};
  auto allowed = paired_cleared_factor * median(found.repeated);
  auto fast = std::ranges::count_if(found.first, [&](double x) { return x <= allowed; });
  return static_cast<double>(fast)
         >= paired_cleared_share * static_cast<double>(found.first.size());
}

// What calls take beside the repeated ones around them.
struct beside_neighbours {
  explicit beside_neighbours(std::span<const timed_call> calls) {
    for (std::size_t i = 0; i < calls.size(); ++i) {
      auto around = neighbours_of(calls, i);
      if (around.empty())
        continue;
      auto usual = median(std::move(around));
      (calls[i].first_visit ? ratios.first : ratios.repeated).push_back(calls[i].seconds / usual);
      (calls[i].first_visit ? gaps.first : gaps.repeated).push_back(calls[i].seconds - usual);
    }
  }

  visits ratios{{}};
  visits gaps{{}}; // [seconds]
};

// How many calls are as much faster than the reference's beside them as the speed-up says.
struct fast_calls {
  fast_calls(double speedup, std::span<const timed_call> candidate,
             std::span<const timed_call> reference) {
    for (std::size_t i = 0; i < std::min(candidate.size(), reference.size()); ++i) {
      auto is_fast = reference[i].seconds * speedup_slack >= speedup * candidate[i].seconds;
      ++(candidate[i].first_visit ? fresh : repeated);
      (candidate[i].first_visit ? fast_fresh : fast_repeated) += is_fast ? 1 : 0;
    }
  }

  double share_of_repeated() const {
    return repeated > 0 ? static_cast<double>(fast_repeated) / static_cast<double>(repeated) : 0;
  }

  bool are_few_when_fresh() const {
    return static_cast<double>(fast_fresh)
           < steady_fresh_share * share_of_repeated() * static_cast<double>(fresh);
  }

  std::size_t fresh = 0;
  std::size_t repeated = 0;
  std::size_t fast_fresh = 0;
  std::size_t fast_repeated = 0;
};

// The chance that of n calls, each fast with this chance, no more than k are. Less than all.
double chance_of_at_most(std::size_t k, std::size_t n, double share) {
  auto term = std::pow(1 - share, static_cast<double>(n)); // for none
  auto sum = term;
  for (std::size_t i = 1; i <= k && share < 1; ++i) {
    term *= static_cast<double>(n - i + 1) / static_cast<double>(i) * share / (1 - share);
    sum += term;
  }
  return sum;
}

// -- clocks -------------------------------------------------------------------------------

double hidden_part(std::span<const block_clocks> blocks) {
  std::vector<double> result;
  for (auto& x : blocks)
    result.push_back(x.wall - x.reported);
  return median(std::move(result));
}

double reported_part(std::span<const block_clocks> blocks) {
  std::vector<double> result;
  for (auto& x : blocks)
    result.push_back(x.reported);
  return median(std::move(result));
}

// Both sides hide the same chores, block by block. What the candidate hides beyond the reference
// may be small against noise in a block, and still be plain over many of them.
bool hides_steadily(std::span<const block_clocks> candidate,
                    std::span<const block_clocks> reference, double chores) {
  auto pairs = std::min(candidate.size(), reference.size());
  if (pairs < fewest_paired_blocks)
    return false;
  std::vector<double> more;
  for (std::size_t i = 0; i < pairs; ++i)
    more.push_back(candidate[i].wall - candidate[i].reported
                   - (reference[i].wall - reference[i].reported));
  return quantile(more, 0.2) > 0
         && median(more) > paired_share * reported_part(reference) + chores * hidden_part(reference)
                             + paired_slack + paired_sigmas * median_error(more);
}

} // namespace

std::optional<refusal> check_cached_output(std::span<const timed_call> candidate,
                                           std::span<const timed_call> reference) {
  auto theirs = visits{candidate};
  auto ours = visits{reference};
  if (theirs.empty() || ours.empty())
    return std::nullopt;
  auto innocent_gap = cached_gap + 2 * std::max(0.0, ours.gap_bounds(cached_sigmas).high);
  auto innocent_ratio = cached_factor * std::max(1.0, ours.ratio());
  if (theirs.gap() <= innocent_gap || theirs.ratio() <= innocent_ratio
      || rank_excess(theirs.first, theirs.repeated) < cached_sigmas)
    return std::nullopt;
  return refusal{"cached-output",
                 fmt::format("the answer for never-seen inputs took {:.1f} times as long as for "
                             "repeated ones ({} against {}; the reference: {:.1f} times)",
                             theirs.ratio(), milliseconds(median(theirs.first)),
                             milliseconds(median(theirs.repeated)), ours.ratio())};
}

std::optional<refusal> check_small_savings(std::span<const timed_call> candidate,
                                           std::span<const timed_call> reference) {
  auto theirs = beside_neighbours{candidate};
  auto ours = beside_neighbours{reference};
  if (theirs.gaps.empty() || ours.gaps.empty() || theirs.gaps.first.size() < fewest_compared)
    return std::nullopt;
  auto ratio = theirs.ratios.ratio();
  auto gap = theirs.gaps.gap();
  auto innocent_gap =
    saving_sigmas * std::hypot(theirs.gaps.error_of_few(), ours.gaps.error_of_few())
    + 2 * std::max(0.0, ours.gaps.gap());
  if (ratio <= saving_factor * std::max(1.0, ours.ratios.ratio()) || gap <= innocent_gap
      || rank_excess(theirs.ratios.first, theirs.ratios.repeated) < saving_sigmas)
    return std::nullopt;
  return refusal{"cached-output",
                 fmt::format("beside the calls around it the answer for never-seen inputs took "
                             "{:.2f} times as long as for repeated ones, {} more (the reference: "
                             "{:.2f} times)",
                             ratio, milliseconds(gap), ours.ratios.ratio())};
}

std::optional<refusal> check_speedup(double speedup, std::span<const timed_call> candidate,
                                     std::span<const timed_call> reference) {
  auto found = fast_calls{speedup, candidate, reference};
  auto share = found.share_of_repeated();
  if (found.fresh < fewest_compared || !found.are_few_when_fresh())
    return std::nullopt;
  // One standard error less: the share is not known better than that.
  auto sure =
    std::max(0.0, share - std::sqrt(share * (1 - share) / static_cast<double>(found.repeated)));
  if (chance_of_at_most(found.fast_fresh, found.fresh, sure) >= speedup_chance)
    return std::nullopt;
  return refusal{"cached-output",
                 fmt::format("{} of {} calls with never-seen inputs were as fast as a speed-up of "
                             "{:.2f}x says, and {:.0f} % of those with repeated ones",
                             found.fast_fresh, found.fresh, speedup, 100 * share)};
}

bool is_speedup_steady(double speedup, std::span<const timed_call> candidate,
                       std::span<const timed_call> reference) {
  auto found = fast_calls{speedup, candidate, reference};
  auto all = static_cast<double>(found.fresh + found.repeated);
  auto fast = static_cast<double>(found.fast_fresh + found.fast_repeated);
  return fast >= steady_share * all && !found.are_few_when_fresh();
}

std::optional<refusal> check_background(double cpu, double asked, double wall) {
  auto unasked = cpu - asked;
  if (unasked <= background_share * wall + background_slack)
    return std::nullopt;
  return refusal{"background-work",
                 fmt::format("while it was timed its processes used {} of processor time that "
                             "nobody had asked for, within {}",
                             milliseconds(unasked), milliseconds(wall))};
}

bool is_cleared_of_caching(std::span<const timed_call> candidate,
                           std::span<const timed_call> reference) {
  auto theirs = visits{candidate};
  auto ours = visits{reference};
  if (most_rank_excess(theirs.first.size(), theirs.repeated.size()) < least_reach || ours.empty())
    return false;
  // What fresh inputs cost the reference, at least.
  auto extra = std::max(0.0, ours.gap_bounds(cleared_sigmas).low);
  auto factor = std::max(1.0, std::exp(ours.log_ratio_bounds(cleared_sigmas).low));
  std::size_t fast = 0;
  for (std::size_t i = 0; i < candidate.size(); ++i) {
    if (!candidate[i].first_visit)
      continue;
    auto fastest = fastest_neighbour(candidate, i);
    auto allowed = std::max(fastest + cached_gap + 2 * extra, fastest * cached_factor * factor);
    fast += candidate[i].seconds <= allowed;
  }
  return static_cast<double>(fast) >= cleared_share * static_cast<double>(theirs.first.size())
         || is_cleared_by_pairs(candidate, reference);
}

std::optional<refusal> check_clocks(std::span<const block_clocks> candidate,
                                    std::span<const block_clocks> reference, double chores) {
  if (std::min(candidate.size(), reference.size()) < fewest_clocked_blocks)
    return std::nullopt;
  auto theirs = hidden_part(candidate);
  auto ours = std::max(0.0, hidden_part(reference));
  if (theirs <= hidden_factor * ours + hidden_slack
      && !hides_steadily(candidate, reference, chores))
    return std::nullopt;
  auto reported = reported_part(candidate);
  return refusal{"clock-mismatch",
                 fmt::format("a block that reports {} took {} by the parent's clock: {} are "
                             "unaccounted for, {} with the reference",
                             milliseconds(reported), milliseconds(reported + theirs),
                             milliseconds(theirs), milliseconds(ours))};
}

std::optional<refusal> check_hidden_work(std::span<const timed_call> more, double call) {
  auto found = visits{more};
  if (found.empty() || found.first.size() < fewest_compared)
    return std::nullopt;
  auto overlooked = hidden_share * call + hidden_call_slack + hidden_sigmas * found.error_of_few();
  if (found.gap() <= overlooked || rank_excess(found.first, found.repeated) < hidden_sigmas)
    return std::nullopt;
  return refusal{"clock-mismatch",
                 fmt::format("beside calls with never-seen inputs {} more are unaccounted for than "
                             "beside others (a call of the reference takes {})",
                             milliseconds(found.gap()), milliseconds(call))};
}

std::optional<refusal> check_joined(std::vector<double> candidate, std::vector<double> reference,
                                    double call) {
  if (candidate.empty() || reference.empty())
    return std::nullopt;
  auto theirs = median(std::move(candidate));
  auto ours = median(std::move(reference));
  if (theirs <= ours + std::max(unjoined_slack, unjoined_part * call))
    return std::nullopt;
  return refusal{"unjoined-work",
                 fmt::format("after a call that took {} the device worked on for {} ({} with the "
                             "reference): work on another stream has to be joined before the call "
                             "returns",
                             milliseconds(call), milliseconds(theirs), milliseconds(ours))};
}

std::optional<refusal> check_trace(const device_trace& candidate, std::int64_t reference_kernels) {
  if (candidate.late > 0)
    return refusal{"late-work", fmt::format("the device worked on for {} after the call had ended",
                                            milliseconds(candidate.late))};
  if (candidate.kernels == 0 && reference_kernels > 0)
    return refusal{
      "no-device-work",
      fmt::format("the call launched no kernel; the reference launches {}", reference_kernels)};
  return std::nullopt;
}

std::optional<refusal> check_roofline(double call, double bound, double bytes) {
  if (call >= bound)
    return std::nullopt;
  return refusal{"below-roofline",
                 fmt::format("a call takes {}, and the {:.3g} GB of inputs and outputs that decide "
                             "the answer cannot be moved in less than {}, even at twice what was "
                             "measured on this device",
                             milliseconds(call), bytes * 1e-9, milliseconds(bound))};
}

std::optional<refusal> check_plausible(std::span<const double> seconds, double wall) {
  auto impossible = [](double x) { return !std::isfinite(x) || x < shortest_call; };
  auto found = std::find_if(seconds.begin(), seconds.end(), impossible);
  if (found != seconds.end())
    return refusal{"implausible-time",
                   fmt::format("call {} reports {}, and no call takes less than {}",
                               std::distance(seconds.begin(), found) + 1, milliseconds(*found),
                               milliseconds(shortest_call))};
  auto sum = std::accumulate(seconds.begin(), seconds.end(), 0.0);
  if (sum > wall * clock_tolerance)
    return refusal{"implausible-time",
                   fmt::format("{} calls report {} together, and the parent's clock saw only {}",
                               seconds.size(), milliseconds(sum), milliseconds(wall))};
  return std::nullopt;
}

} // namespace lathe::gpu
