#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/neighbour_watch.hpp"
#include "gpu/processes/process_group.hpp"
#include "gpu/task_oracle.hpp"

#include <caf/expected.hpp>

#include <deque>
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

  /// The exclusive one.
  held_lease& lease() {
    return lease_;
  }

  /// Tells whether what was timed since this was asked last counts, or did so beside a neighbour
  /// (`neighbour_watch`): then the timed processes are on another processor from now on, if there
  /// is one that nobody times on. It always counts on the CPU, where all sides meet neighbours
  /// alike.
  bool counts();

  /// Whether no processor without a neighbour was to be had, and what is timed beside one counts.
  bool is_disturbed() const {
    return neighbours_.has_given_up();
  }

private:
  quiet_hold(evaluation_site& site, held_lease lease) : site_(site), lease_(std::move(lease)) {
    // nop
  }

  static caf::expected<std::unique_ptr<quiet_hold>>
  take(evaluation_site& site, lease_source& leases, std::int32_t priority, task_oracle* oracle,
       worker_process* alone, const worker_process* beside, const std::set<std::string>& awake);

  evaluation_site& site_;
  held_lease lease_;
  std::unique_lock<std::mutex> oracle_;
  std::unique_ptr<freezer::hold> frozen_;
  std::optional<claimed_cpus> cpus_;
  std::deque<favoured_group> favoured_;
  neighbour_watch neighbours_;
};

} // namespace lathe::gpu
