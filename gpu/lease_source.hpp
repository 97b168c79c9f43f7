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

  /// Whether somebody waits for an exclusive lease, as far as is known: who holds a shared one may
  /// give it back early.
  virtual bool is_wanted_alone() {
    return false;
  }

  /// @param suspect the holder's processes, which are gone, left the device in doubt
  virtual void release(const lease& x, bool suspect) = 0;
};

/// A lease that goes back when it leaves scope.
class held_lease {
public:
  held_lease(lease_source& source, const lease& x) : source_(&source), lease_(x) {
    // nop
  }

  held_lease(held_lease&& other) noexcept
    : source_(std::exchange(other.source_, nullptr)), lease_(other.lease_),
      suspect_(other.suspect_) {
    // nop
  }

  held_lease& operator=(held_lease&&) = delete;

  ~held_lease() {
    if (source_ != nullptr)
      source_->release(lease_, suspect_);
  }

  /// What was done under the lease left the device in doubt: it has to be probed before others get
  /// it. Whoever did it must be gone when the lease goes back.
  void doubt() {
    suspect_ = true;
  }

private:
  lease_source* source_;
  lease lease_;
  bool suspect_ = false;
};

/// Waits for a lease and holds it.
inline caf::expected<held_lease> hold(lease_source& source, lease_kind kind,
                                      std::int32_t priority) {
  auto granted = source.acquire(kind, priority);
  if (!granted)
    return std::move(granted.error());
  return held_lease{source, *granted};
}

/// Leaves the device in doubt, and waits until it has been probed. Returns nothing when it is
/// sound, else why nobody gets it any more. What may have left it so must be gone.
/// @param told whether it was left in doubt already
inline caf::error confirm_device(lease_source& source, std::int32_t priority, bool told = false) {
  if (!told) {
    auto held = hold(source, lease_kind::shared, priority);
    if (!held)
      return std::move(held.error());
    held->doubt();
  }
  auto sound = hold(source, lease_kind::shared, priority);
  return sound ? caf::error{} : std::move(sound.error());
}

} // namespace lathe::gpu
