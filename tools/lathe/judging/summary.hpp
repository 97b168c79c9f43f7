#pragma once

#include "tools/lathe/judging/row.hpp"

#include <map>
#include <optional>

namespace lathe::judging {

/// KernelBench's fast_p: the share of candidates that are correct and more than p times as fast as
/// the reference. An interval that holds p makes a tie, which may or may not count: the share is
/// anything from `sure` to `sure + ties`, over `of`.
struct fast_share {
  double p = 1;
  std::int32_t sure = 0;
  std::int32_t ties = 0;
  std::int32_t of = 0; ///< candidates, and tasks that have none
};

/// fast_p for every p: the ends of the intervals of correct candidates, in order. Those whose low
/// end is above p count surely, those whose high end is, perhaps.
struct fast_curve {
  std::vector<double> lows;
  std::vector<double> highs;
  std::int32_t of = 0; ///< candidates, and tasks that have none

  fast_share at(double p) const;
};

/// The geometric mean of speed-ups, with the 95 % interval that follows from theirs.
struct mean_speedup {
  double value = 0;
  double low = 0;
  double high = 0;
  std::int32_t count = 0;
};

/// What many judgements of one judge come to. Those on degenerate tasks are counted apart and have
/// no part in the rest.
struct summary {
  std::map<outcome, std::int32_t> outcomes;
  std::int32_t degenerate = 0; ///< on tasks where a trivial answer would pass
  std::int32_t unjudged = 0;   ///< the task or the evaluator broke
  std::int32_t idle_tasks = 0;
  std::optional<mean_speedup> speedup; ///< over the correct ones; nothing when there are none
  fast_curve curve;
  std::vector<fast_share> fast; ///< fast_1 and fast_2
};

/// @param judge which of each row's judgements
summary summarise(const std::vector<row>& rows, std::size_t judge, std::size_t idle_tasks);

/// Returns two lines, or three: what was found, how fast, and what was left out of it.
std::string format_summary(const summary& x);

} // namespace lathe::judging
