#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/judge_rules.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/task_oracle.hpp"

#include <caf/expected.hpp>

#include <memory>
#include <string>
#include <vector>

// What is done once for a task, before any candidate is judged.

namespace lathe::gpu {

/// Prepares a task's oracle, under a shared lease where that keeps a GPU busy, and finds out what
/// the device can do at best. The caller holds no lease.
caf::expected<std::shared_ptr<task_oracle>>
prepare_oracle(const task& subject, evaluation_site& site, judge_rules rules, lease_source& leases);

/// The same, under the rules that the site's configuration names.
caf::expected<std::shared_ptr<task_oracle>>
prepare_oracle(const task& subject, evaluation_site& site, lease_source& leases);

/// Measures the reference alone, as it is ("eager") and in the other ways that `names` lists
/// ("compile"): the baselines of a task. The caller holds no lease.
caf::error measure_baselines(task_oracle& oracle, evaluation_site& site, lease_source& leases,
                             const std::vector<std::string>& names);

} // namespace lathe::gpu
