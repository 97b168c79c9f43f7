#pragma once

#include "gpu/device_health.hpp"
#include "gpu/lease_queue.hpp"
#include "gpu/lease_source.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace lathe::gpu {

struct local_lease_options {
  std::size_t bound = 1'024;  ///< the most threads that may wait; more are answered `overloaded`
  std::string device = "cpu"; ///< for messages to people
  /// Blocks; empty: nothing to probe, and no doubt counts. `cancelled`: the site is closed, and
  /// nobody gets a lease any more.
  std::function<caf::error()> probe = {};
  device_health::limits health = {};
  std::function<void(const device_event&)> tell = {}; ///< called with what people have to hear

  // Time, which tests make pass.
  std::function<device_health::time_point()> now = std::chrono::steady_clock::now;
  std::function<void(device_health::duration)> pause = {}; ///< empty: sleeps
};

/// Leases on one device for the threads of this process, where there is no GPU owner: the queue
/// decides, and who has to wait blocks. Who gives a lease back that left the device in doubt probes
/// it before anybody else gets one. Safe to use from any thread.
class local_leases : public lease_source {
public:
  explicit local_leases(local_lease_options options = {});

  /// Fails with `overloaded`, with `device_lost`, or with `cancelled`.
  caf::expected<lease> acquire(lease_kind kind, std::int32_t priority) override;

  bool is_wanted_alone() override;

  void release(const lease& x, bool suspect = false) override;

private:
  void probe(std::unique_lock<std::mutex>& guard);
  void close(const caf::error& why);
  void settle();

  local_lease_options options_;
  std::mutex mutex_; // guards what follows
  std::condition_variable settled_;
  lease_queue queue_;
  device_health health_;
  caf::error closed_;               // why there are no leases any more
  std::set<std::uint64_t> waiting_; // tickets
  std::map<std::uint64_t, caf::expected<lease>>
    answers_; // by ticket, until their thread takes them
};

} // namespace lathe::gpu
