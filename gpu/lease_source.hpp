#pragma once

#include "messages/lease.hpp"

#include <caf/expected.hpp>

#include <utility>

namespace lathe::gpu {

/// Where an evaluation gets its leases from: the GPU owner in a run, a stand-in in a test.
class lease_source {
public:
  virtual ~lease_source() = default;

  /// Waits for a lease.
  virtual caf::expected<lease> acquire(lease_kind kind, std::int32_t priority) = 0;

  virtual void release(const lease& x) = 0;
};

/// A lease that goes back when it leaves scope.
class held_lease {
public:
  held_lease(lease_source& source, const lease& x) : source_(&source), lease_(x) {
    // nop
  }

  held_lease(held_lease&& other) noexcept
    : source_(std::exchange(other.source_, nullptr)), lease_(other.lease_) {
    // nop
  }

  held_lease& operator=(held_lease&&) = delete;

  ~held_lease() {
    if (source_ != nullptr)
      source_->release(lease_);
  }

private:
  lease_source* source_;
  lease lease_;
};

/// Waits for a lease and holds it.
inline caf::expected<held_lease> hold(lease_source& source, lease_kind kind,
                                      std::int32_t priority) {
  auto granted = source.acquire(kind, priority);
  if (!granted)
    return std::move(granted.error());
  return held_lease{source, *granted};
}

} // namespace lathe::gpu
