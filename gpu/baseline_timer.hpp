#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/quiet_hold.hpp"
#include "gpu/stopping_rule.hpp"
#include "gpu/task_oracle.hpp"

#include <caf/expected.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lathe::gpu {

/// Times what torch.compile makes of the reference, in a process of its own: the oracle's stays
/// free of a compiler and its threads. Compiles without a lease, frozen while others are timed,
/// then times in blocks that alternate with eager's, in the same process and alone on the device.
/// The caller holds no lease, and none of the device's memory that others wait for.
class baseline_timer {
public:
  baseline_timer(task_oracle& oracle, evaluation_site& site, lease_source& leases);

  /// Returns eager as the reference, the baseline as the candidate, and the interval of their
  /// ratio. Nothing where the model cannot be compiled in time, or noise leaves more than a
  /// tenth of the ratio open. Fails when there is no process or no lease to be had.
  /// @param name "compile", "compile:max-autotune"
  caf::expected<std::optional<timing>> against_eager(const std::string& name);

  /// Whether the latest one counts neighbours on the host in (`quiet_hold::is_disturbed`): it says
  /// nothing of other runs.
  bool was_disturbed() const {
    return disturbed_;
  }

private:
  caf::error start();
  caf::expected<bool> compile(const std::string& name);
  std::optional<timing> race(const std::string& name, quiet_hold& quiet);
  std::optional<block> time(const std::string& name, std::size_t calls);

  task_oracle& oracle_;
  evaluation_site& site_;
  lease_source& leases_;
  std::string tag_;
  std::optional<room::share> share_;
  std::optional<site_worker> worker_;
  bool disturbed_ = false;
};

} // namespace lathe::gpu
