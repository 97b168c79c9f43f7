#pragma once

#include "gpu/judge_rules.hpp"
#include "gpu/race.hpp"

#include <optional>
#include <vector>

namespace lathe::gpu {

/// Compares the means of two sides' calls [seconds]. The 95 % interval is that of the ratio of two
/// independent means, by the delta method; what published judges leave out. Nothing with less than
/// two calls a side, or with a time that is not positive.
std::optional<timing> ratio_of_means(const std::vector<double>& reference,
                                     const std::vector<double>& candidate);

/// Times as published judges do: the candidate's calls, then the reference's. Both are in the state
/// that the check left them in; the caller holds the lease and keeps all other processes frozen.
race_result time_by_means(evaluation_site& site, task_oracle& oracle, worker_process& candidate,
                          const mean_timing& rules);

} // namespace lathe::gpu
