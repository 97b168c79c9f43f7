#pragma once

#include "messages/task.hpp"
#include "tools/lathe/judging/row.hpp"
#include "tools/lathe/judging/summary.hpp"

#include <string>

namespace lathe::judging {

/// Files that were given and not judged.
struct unjudged_files {
  std::vector<std::string> idle_tasks;      ///< without a candidate
  std::vector<std::string> idle_candidates; ///< that fit no task
  std::vector<std::string> interrupted;     ///< candidates whose turn had not come, or not ended
};

/// What was judged, as one JSON document with stable keys (docs/eval.md). Where one task was given
/// it has the task's keys, too.
std::string json_document(const std::vector<row>& rows, const environment& where,
                          const unjudged_files& others);

} // namespace lathe::judging
