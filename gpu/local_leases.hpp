#pragma once

#include "gpu/lease_queue.hpp"
#include "gpu/lease_source.hpp"

#include <condition_variable>
#include <mutex>

namespace lathe::gpu {

/// Leases on one device for the threads of this process, where there is no GPU owner: the queue
/// decides, and who has to wait blocks. Safe to use from any thread.
class local_leases : public lease_source {
public:
  /// @param bound the most threads that may wait at once; more are answered `overloaded`
  explicit local_leases(std::size_t bound = 1'024);

  caf::expected<lease> acquire(lease_kind kind, std::int32_t priority) override;

  void release(const lease& x) override;

private:
  void grant();

  std::mutex mutex_; // guards what follows
  std::condition_variable granted_;
  lease_queue queue_;
  std::map<std::uint64_t, lease> leases_; // by ticket, until their thread takes them
};

} // namespace lathe::gpu
