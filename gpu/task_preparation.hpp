#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/judge_rules.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/task_oracle.hpp"

#include <caf/expected.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// What is done once for a task, before any candidate is judged.

namespace lathe::gpu {

/// Prepares a task's oracle, and finds out what the device can do at best. Its work is frozen while
/// others are timed; only the verifier's is under a lease. The caller holds none.
caf::expected<std::shared_ptr<task_oracle>>
prepare_oracle(const task& subject, evaluation_site& site, judge_rules rules, lease_source& leases);

/// The same, under the rules that the site's configuration names.
caf::expected<std::shared_ptr<task_oracle>>
prepare_oracle(const task& subject, evaluation_site& site, lease_source& leases);

/// Measures the reference alone, as it is ("eager") and in the other ways that `names` lists
/// ("compile"): the baselines of a task. What torch.compile makes of it is known from an earlier
/// run where eager is still as fast as it was then. The caller holds no lease.
caf::error measure_baselines(task_oracle& oracle, evaluation_site& site, lease_source& leases,
                             const std::vector<std::string>& names);

/// Whether ratios from earlier runs do.
enum class known : std::uint8_t { used, ignored };

/// Times what torch.compile makes of the reference in the ways that `names` lists; "eager" is
/// passed over. Leaves out what cannot be compiled, or is too noisy to tell. The caller holds no
/// lease.
/// @param eager [seconds] that a call takes as it is
caf::expected<std::vector<baseline>> time_compiled(task_oracle& oracle, evaluation_site& site,
                                                   lease_source& leases,
                                                   const std::vector<std::string>& names,
                                                   double eager, known earlier);

} // namespace lathe::gpu
