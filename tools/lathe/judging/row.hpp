#pragma once

#include "gpu/statistics.hpp"
#include "messages/error.hpp"
#include "messages/task.hpp"
#include "messages/verdict.hpp"
#include "tools/lathe/judging/pairing.hpp"

#include <string>
#include <vector>

namespace lathe::judging {

/// One verdict of one judge.
struct judged_run {
  lathe::verdict verdict;
  std::vector<double> seconds; ///< the candidate's timed calls; empty where none were made
  bool interrupted = false;    ///< somebody else killed a process that it needed
};

/// All that one judge said about one candidate.
struct judgement {
  std::string judge;            ///< "strict"
  std::string rules;            ///< in words: tolerance, draws, mode
  std::vector<judged_run> runs; ///< one a repetition, in order
  bool cut_off = false;         ///< it was stopped: runs are fewer than were asked for
  caf::error problem;           ///< why there is no verdict: the task or the evaluator broke
  std::string degenerate;       ///< why a trivial answer would pass for the task; empty: none would
  std::vector<baseline> baselines; ///< of the task, eager first; empty where they were not timed

  /// The first verdict; nullptr where there is none.
  const lathe::verdict* verdict() const {
    return runs.empty() ? nullptr : &runs.front().verdict;
  }
};

/// One candidate and what became of it.
struct row {
  std::string task;      ///< its file
  std::string candidate; ///< its file
  problem_name name;
  std::vector<judgement> judgements;      ///< one a judge, never empty; the first decides
  std::vector<std::string> disagreements; ///< why other judges say something else than the first
};

} // namespace lathe::judging
