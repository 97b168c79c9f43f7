#pragma once

#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>
#include <caf/timespan.hpp>

#include <cstddef>
#include <string>

namespace lathe::gpu {

struct gpu_owner_options {
  std::string device = "cpu";     ///< for messages to people
  std::size_t queue_bound = 1024; ///< the most requests that wait at once
  journal_actor journal = {};     ///< gets a `lease_event` for each lease that ends; may be null
};

/// Spawns the owner of one device. Fails requests with `overloaded` when too many wait, and with
/// `timed_out` when the asker's `timeout_ms` ran out first.
///
/// Whoever sends a request holds the lease: when that actor dies, its leases are taken back and
/// its waiting requests forgotten. The owner does not freeze anybody: a holder of an exclusive
/// lease takes a `freezer::hold` itself, because only it knows which processes it times, and the
/// hold goes with the holder's state, before the owner hears of its death.
gpu_owner_actor spawn_gpu_owner(caf::actor_system& sys, gpu_owner_options options);

/// Returns the timeout to give to CAF's `request` around a lease request. The owner answers in
/// time; this only covers an owner that is gone. Were it shorter than `timeout_ms`, a lease could
/// arrive when its asker no longer listens, and stay out until the asker dies.
caf::timespan patience(const lease_request& x);

} // namespace lathe::gpu
