#include "gpu/local_leases.hpp"

#include "messages/error.hpp"

namespace lathe::gpu {

local_leases::local_leases(std::size_t bound) : queue_(bound) {
  // nop
}

caf::expected<lease> local_leases::acquire(lease_kind kind, std::int32_t priority) {
  std::unique_lock guard{mutex_};
  auto ticket = queue_.push({"", kind, priority, 0}, lease_queue::time_point::clock::now());
  if (!ticket)
    return make_error(errc::overloaded, "too many evaluations wait for the device");
  grant();
  granted_.wait(guard, [&] { return leases_.contains(*ticket); });
  return leases_.extract(*ticket).mapped();
}

void local_leases::release(const lease& x) {
  std::lock_guard guard{mutex_};
  if (queue_.release(x.fence))
    grant();
}

void local_leases::grant() {
  // Requests have no time limit, so every decision is a lease.
  for (auto& decision : queue_.decide(lease_queue::time_point::clock::now()))
    leases_.emplace(decision.ticket, *decision.granted);
  granted_.notify_all();
}

} // namespace lathe::gpu
