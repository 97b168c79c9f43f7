#pragma once

#include "gpu/device_health.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>
#include <caf/timespan.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace lathe::gpu {

/// Probes a device that is in doubt. Fails with what is wrong with it, or with `cancelled` when the
/// run stops: then nobody gets a lease any more, and all who wait for one are told so.
using device_probe_actor = caf::typed_actor<caf::result<void>(start_atom)>;

struct gpu_owner_options {
  std::string device = "cpu";     ///< for messages to people
  std::size_t queue_bound = 1024; ///< the most requests that wait at once
  journal_actor journal = {};     ///< gets a `lease_event` for each lease that ends; may be null
  device_probe_actor probe = {};  ///< null: there is nothing to probe, and no doubt counts
  device_health::limits health = {};
  /// Kept at whether somebody waits for an exclusive lease, for whoever holds a shared one; may be
  /// null.
  std::shared_ptr<std::atomic<bool>> wanted_alone = {};
  /// Called with what people have to hear of the device, from any thread; the journal gets it, too.
  std::function<void(const device_event&)> tell = {};
};

/// Spawns the owner of one device. Fails requests with `overloaded` when too many wait, and with
/// `timed_out` when the asker's `timeout_ms` ran out first.
///
/// Whoever sends a request holds the lease: when that actor dies, its leases are taken back and
/// its waiting requests forgotten. The owner does not freeze anybody: a holder of an exclusive
/// lease takes a `freezer::hold` itself, because only it knows which processes it times, and the
/// hold goes with the holder's state, before the owner hears of its death.
///
/// A lease that comes back as suspect, or with its holder's death, leaves the device in doubt: from
/// then on nothing is granted until a probe has succeeded. A device that does not recover is lost:
/// all requests fail with `device_lost`.
gpu_owner_actor spawn_gpu_owner(caf::actor_system& sys, gpu_owner_options options);

/// Spawns a probe, on a thread of its own, for a function that blocks.
device_probe_actor spawn_device_probe(caf::actor_system& sys, std::function<caf::error()> probe);

/// Returns the timeout to give to CAF's `request` around a lease request. The owner answers in
/// time; this only covers an owner that is gone. Were it shorter than `timeout_ms`, a lease could
/// arrive when its asker no longer listens, and stay out until the asker dies.
caf::timespan patience(const lease_request& x);

} // namespace lathe::gpu
