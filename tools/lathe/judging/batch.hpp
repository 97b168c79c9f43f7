#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/judge_rules.hpp"
#include "messages/task.hpp"
#include "tools/lathe/judging/kept_verdicts.hpp"
#include "tools/lathe/judging/row.hpp"

#include <functional>
#include <memory>

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
  std::size_t first_number =
    0; ///< of the tasks, which a site tells from those of other batches by it
  std::vector<entry> entries;           ///< by task
  std::vector<gpu::judge_rules> judges; ///< at least one
  std::size_t repeats = 1;              ///< verdicts of each judge on each candidate
  bool profiles = false;                ///< say of correct candidates what bounds them
  /// Where verdicts are looked up before, and kept afterwards; nullptr: nowhere.
  std::shared_ptr<const kept_verdicts> kept = nullptr;
  std::size_t jobs = 1; ///< candidates that are judged at once, on all devices; timed is one on each
  /// Called with what people have to hear of the device: it is in quarantine, say. From any thread.
  std::function<void(const std::string& line)> warn = {};
};

/// Returns how many of its verdicts `batch::kept` has.
std::size_t count_kept(const batch& work);

/// Judges them all, with one oracle a task and judge, which is gone when its candidates are done.
/// Of several sites each gets its share of the tasks, so that all candidates of a task are judged
/// on the same device, as long as it is not lost. Blocks. What keeps one task or candidate from
/// being judged is its row's problem, and the others go on. Once the sites are closed it ends soon,
/// and the problem of what was not judged by then is `cancelled`.
/// @param tell is called with each row, in order, as soon as it and those before it are complete;
/// never twice at a time
std::vector<row> judge_all(const batch& work,
                           const std::vector<std::shared_ptr<gpu::evaluation_site>>& sites,
                           const std::function<void(const row&)>& tell);

} // namespace lathe::judging
