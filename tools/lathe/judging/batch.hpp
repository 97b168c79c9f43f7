#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/judge_rules.hpp"
#include "messages/task.hpp"
#include "tools/lathe/judging/row.hpp"

#include <functional>

namespace lathe::judging {

/// A candidate to judge.
struct entry {
  std::size_t task = 0;  ///< position in `batch::tasks`
  std::string candidate; ///< its file
  std::string source;
  problem_name name;
};

/// Many candidates of many tasks.
struct batch {
  std::vector<task> tasks;
  std::vector<entry> entries;           ///< by task
  std::vector<gpu::judge_rules> judges; ///< at least one
  std::size_t repeats = 1;              ///< verdicts of each judge on each candidate
  std::size_t jobs = 1; ///< candidates that are built and checked at once; timed is one
  /// Called with what people have to hear of the device: it is in quarantine, say. From any thread.
  std::function<void(const std::string& line)> warn = {};
};

/// Judges them all, with one oracle a task and judge, which is gone when its candidates are done.
/// Blocks. What keeps one task or candidate from being judged is its row's problem, and the others
/// go on.
/// @param tell is called with each row, in order, as soon as it is complete; never twice at a time
std::vector<row> judge_all(const batch& work, gpu::evaluation_site& site,
                           const std::function<void(const row&)>& tell);

} // namespace lathe::judging
