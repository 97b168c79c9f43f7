#pragma once

#include "tools/lathe/judging/row.hpp"

#include <optional>

namespace lathe::judging {

/// How far apart the verdicts of one judge on one candidate are.
struct repetition {
  std::int32_t verdicts = 0;
  bool agree = true;             ///< all have the same outcome and rule
  std::vector<std::string> said; ///< "4 correct", "1 unstable"; most often said first
  std::int32_t timed = 0;        ///< how many of them have times
  double medians = 0;  ///< largest less smallest median of the candidate, over the middle one
  double speedups = 0; ///< the same of the speed-ups
};

/// Returns nothing for a candidate that was judged less than twice.
std::optional<repetition> compare_runs(const judgement& x);

/// Returns "5 verdicts agree, medians within 0.8 %, speed-ups within 0.3 %".
std::string in_words(const repetition& x);

} // namespace lathe::judging
