#pragma once

#include "tools/lathe/judging/batch.hpp"

#include <caf/expected.hpp>

namespace lathe::cli {

/// What `lathe eval` was given: read and paired.
struct eval_inputs {
  judging::batch work; ///< tasks and entries; the rest is as it is by default
  std::vector<std::string> idle_tasks;
  std::vector<std::string> idle_candidates;
};

/// Reads candidates of one task, whatever their names. Fails with `user_error` and a sentence for
/// each mistake.
caf::expected<eval_inputs> read_inputs(const std::string& task,
                                       const std::vector<std::string>& candidates);

/// Reads tasks and candidates that are paired by their names. Fails likewise, and when none pairs.
caf::expected<eval_inputs> read_paired_inputs(const std::vector<std::string>& tasks,
                                              const std::vector<std::string>& candidates);

/// Gives candidates the numbers that KernelBench's file needs; fails with `user_error` as
/// `judging::number_samples`.
caf::error number_samples(judging::batch& work);

} // namespace lathe::cli
