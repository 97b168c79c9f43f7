#pragma once

#include "messages/task.hpp"
#include "tools/lathe/judging/row.hpp"
#include "tools/lathe/judging/summary.hpp"

#include <string>

namespace lathe::judging {

/// What was judged, as one JSON document with stable keys (docs/eval.md). Where one task was given
/// it has the task's keys, too.
/// @param idle_tasks files of tasks without a candidate
/// @param idle_candidates files of candidates that fit no task
std::string json_document(const std::vector<row>& rows, const environment& where,
                          const std::vector<std::string>& idle_tasks,
                          const std::vector<std::string>& idle_candidates);

} // namespace lathe::judging
