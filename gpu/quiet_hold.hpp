#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/processes/process_group.hpp"
#include "gpu/task_oracle.hpp"

#include <caf/expected.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace lathe::gpu {

/// What timing needs, as long as it lives: an exclusive lease, the oracle to oneself, every other
/// evaluation process frozen, the kernels that they launched before gone from the device, and the
/// timed processes bound to the site's processors and ahead of others there.
class quiet_hold {
public:
  /// Waits for all of it. Where others have given a GPU work that goes on and on they are woken
  /// again and again, each time for a respite of the site's, until they are done or killed for it.
  /// @param candidate who is timed beside the oracle; nullptr: nobody
  /// @param tag the candidate's among those that may be frozen
  static caf::expected<std::unique_ptr<quiet_hold>>
  take(evaluation_site& site, lease_source& leases, task_oracle& oracle, std::int32_t priority,
       const worker_process* candidate = nullptr, const std::string& tag = {});

  /// The same for a process that is timed alone, and needs no oracle.
  /// @param tag its own among those that may be frozen
  static caf::expected<std::unique_ptr<quiet_hold>>
  take(evaluation_site& site, lease_source& leases, worker_process& alone, const std::string& tag,
       std::int32_t priority);

  quiet_hold(const quiet_hold&) = delete;
  quiet_hold& operator=(const quiet_hold&) = delete;

  ~quiet_hold();

  /// The exclusive one.
  held_lease& lease() {
    return lease_;
  }

private:
  explicit quiet_hold(held_lease lease) : lease_(std::move(lease)) {
    // nop
  }

  static caf::expected<std::unique_ptr<quiet_hold>>
  take(evaluation_site& site, lease_source& leases, std::int32_t priority, task_oracle* oracle,
       worker_process* alone, const worker_process* beside, const std::set<std::string>& awake);

  held_lease lease_;
  std::unique_lock<std::mutex> oracle_;
  std::unique_ptr<freezer::hold> frozen_;
  std::optional<claimed_cpus> cpus_;
  double speed_ = 0; // of the first of them, at first, where that is traced [seconds]
  std::optional<favoured_group> timed_;
  std::optional<favoured_group> beside_;
};

} // namespace lathe::gpu
