#include "gpu/local_leases.hpp"

#include "messages/error.hpp"

#include <thread>
#include <utility>

namespace lathe::gpu {

local_leases::local_leases(local_lease_options options)
  : options_(std::move(options)), queue_(options_.bound),
    health_(options_.device, options_.health) {
  if (!options_.pause)
    options_.pause = [](device_health::duration x) { std::this_thread::sleep_for(x); };
}

caf::expected<lease> local_leases::acquire(lease_kind kind, std::int32_t priority) {
  std::unique_lock guard{mutex_};
  if (closed_)
    return closed_;
  auto ticket = queue_.push({"", kind, priority, 0}, options_.now());
  if (!ticket)
    return make_error(errc::overloaded, "too many evaluations wait for the device");
  waiting_.insert(*ticket);
  settle();
  settled_.wait(guard, [&] { return answers_.contains(*ticket); });
  return std::move(answers_.extract(*ticket).mapped());
}

bool local_leases::is_wanted_alone() {
  std::lock_guard guard{mutex_};
  return queue_.is_wanted_alone();
}

void local_leases::release(const lease& x, bool suspect) {
  std::unique_lock guard{mutex_};
  if (!queue_.release(x.fence))
    return;
  if (suspect && options_.probe && health_.doubt())
    probe(guard);
  settle();
}

// Until it is known whether the device can be used.
void local_leases::probe(std::unique_lock<std::mutex>& guard) {
  for (;;) {
    guard.unlock();
    auto problem = options_.probe();
    guard.lock();
    if (problem == errc::cancelled) // those who wait would, for ever
      return close(problem);
    auto next = problem ? health_.failed(describe(problem), options_.now()) : health_.passed();
    if (next.news && options_.tell)
      options_.tell(*next.news);
    if (health_.lost())
      return close(health_.loss());
    if (!next.probe_in)
      return;
    guard.unlock();
    options_.pause(*next.probe_in);
    guard.lock();
  }
}

// Nobody gets a lease any more.
void local_leases::close(const caf::error& why) {
  closed_ = why;
  for (auto ticket : std::exchange(waiting_, {})) {
    queue_.cancel(ticket);
    answers_.emplace(ticket, why);
  }
}

// Answers everybody whose wait ends now.
void local_leases::settle() {
  // Requests have no time limit, so every decision is a lease.
  for (auto& decision : queue_.decide(options_.now(), health_.usable())) {
    waiting_.erase(decision.ticket);
    answers_.emplace(decision.ticket, *decision.granted);
  }
  settled_.notify_all();
}

} // namespace lathe::gpu
