#include "gpu/gpu_owner.hpp"

#include "gpu/lease_log.hpp"
#include "gpu/lease_queue.hpp"
#include "messages/error.hpp"
#include "messages/event_json.hpp"

#include <caf/action.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_clock.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

namespace lathe::gpu {

namespace {

struct gpu_owner_state {
  static inline const char* name = "gpu.owner";

  gpu_owner_state(gpu_owner_actor::pointer selfptr, gpu_owner_options opts)
    : self(selfptr), options(std::move(opts)), queue(options.queue_bound),
      health(options.device, options.health), log(options.device), began(self->clock().now()),
      began_at(std::chrono::system_clock::now().time_since_epoch()) {
    // nop
  }

  gpu_owner_actor::behavior_type make_behavior() {
    self->set_down_handler([this](caf::down_msg& x) { forget(x.source); });
    return {
      [this](const lease_request& x) { return acquire(x); },
      [this](lease_release x) { release(x); },
    };
  }

  // -- callbacks for the behavior -------------------------------------------------------

  caf::result<lease> acquire(const lease_request& request) {
    if (!self->current_sender())
      return make_error(errc::user_error,
                        "a lease request needs a sender, who will hold the lease");
    if (closed)
      return closed;
    auto ticket = queue.push(request, self->clock().now());
    if (!ticket)
      return make_error(errc::overloaded, fmt::format("{} requests wait for {} already",
                                                      queue.waiting(), options.device));
    log.ask(*ticket, request, seconds());
    auto asker = caf::actor_cast<caf::actor_addr>(self->current_sender());
    watch(asker);
    auto promise = self->make_response_promise<lease>();
    waiting.emplace(*ticket, waiter{asker, promise, request.timeout_ms});
    set_alarm(*ticket);
    settle();
    return promise;
  }

  void release(const lease_release& x) {
    held.erase(x.fence);
    if (!queue.release(x.fence))
      return;
    note_end(x.fence, false);
    if (x.suspect)
      doubt();
    settle();
  }

  // Takes back what a dead actor held, and forgets what it waited for.
  void forget(const caf::actor_addr& dead) {
    watched.erase(dead);
    std::erase_if(waiting, [&](const auto& x) {
      if (x.second.asker != dead)
        return false;
      queue.cancel(x.first);
      log.drop(x.first);
      return true;
    });
    auto taken_back = std::erase_if(held, [&](const auto& x) {
      if (x.second != dead)
        return false;
      queue.release(x.first);
      note_end(x.first, true);
      return true;
    });
    if (taken_back > 0)
      doubt(); // nobody knows what its processes did last
    settle();
  }

  // -- waiting ----------------------------------------------------------------------------

  struct waiter {
    caf::actor_addr asker;
    caf::typed_response_promise<lease> promise;
    std::int64_t timeout_ms;
  };

  // Every CAF monitor costs an entry in the monitored actor, so one for each actor is enough.
  void watch(const caf::actor_addr& asker) {
    if (watched.insert(asker).second)
      self->monitor(asker);
  }

  // An alarm that comes after the wait has ended does no harm. Its pointer is weak: a far deadline
  // must not keep an owner alive that nobody refers to.
  void set_alarm(std::uint64_t ticket) {
    if (auto deadline = queue.deadline(ticket))
      run_at(*deadline, [this] { settle(); });
  }

  template <class Function>
  void run_at(caf::actor_clock::time_point when, Function what) {
    auto alarm = caf::make_action(std::move(what), caf::action::state::waiting);
    self->clock().schedule(when, std::move(alarm), caf::weak_actor_ptr{self->ctrl()});
  }

  // Answers everybody whose wait ends now.
  void settle() {
    for (auto& [ticket, granted] : queue.decide(self->clock().now(), health.usable())) {
      auto x = std::move(waiting.extract(ticket).mapped());
      if (granted) {
        log.grant(ticket, granted->fence, seconds());
        held.emplace(granted->fence, x.asker);
        x.promise.deliver(*granted);
      } else {
        log.drop(ticket);
        x.promise.deliver(make_error(errc::timed_out, fmt::format("no lease on {} within {} ms",
                                                                  options.device, x.timeout_ms)));
      }
    }
    tell_who_waits();
  }

  void tell_who_waits() {
    if (options.wanted_alone)
      *options.wanted_alone = queue.is_wanted_alone();
  }

  // Nobody gets a lease any more.
  void close(const caf::error& why) {
    closed = why;
    for (auto& [ticket, x] : std::exchange(waiting, {})) {
      queue.cancel(ticket);
      log.drop(ticket);
      x.promise.deliver(why);
    }
    tell_who_waits();
  }

  // -- the device's health ----------------------------------------------------------------

  void doubt() {
    if (options.probe && health.doubt())
      probe();
  }

  void probe() {
    self->request(options.probe, caf::infinite, start_atom_v)
      .then([this] { follow(health.passed()); },
            [this](const caf::error& why) {
              if (why == errc::cancelled) // the run stops: those who wait would, for ever
                close(why);
              else
                follow(health.failed(describe(why), self->clock().now()));
            });
  }

  void follow(const device_health::step& x) {
    if (x.news)
      announce(*x.news);
    if (x.probe_in)
      run_at(self->clock().now() + *x.probe_in, [this] { probe(); });
    if (health.lost())
      close(health.loss());
    settle();
  }

  void announce(const device_event& x) {
    if (options.journal)
      write({}, device_event::kind, to_json(x));
    if (options.tell)
      options.tell(x);
  }

  // -- the journal ------------------------------------------------------------------------

  void note_end(std::uint64_t fence, bool reclaimed) {
    auto x = log.end(fence, seconds(), reclaimed);
    if (x && options.journal)
      write(std::move(x->session), lease_event, to_json(x->span));
  }

  // Nobody waits for it: a journal that cannot be written ends the run by way of its sessions.
  void write(session_id session, std::string_view kind, std::string payload) {
    journal_append batch;
    batch.records.push_back({0, 0, std::move(session), std::string{kind}, std::move(payload)});
    caf::anon_send(options.journal, std::move(batch));
  }

  // Since the epoch, but no leap of the system's clock makes a span shorter or longer.
  double seconds() const {
    std::chrono::duration<double> result = began_at + (self->clock().now() - began);
    return result.count();
  }

  // -- state ------------------------------------------------------------------------------

  gpu_owner_actor::pointer self;
  gpu_owner_options options;
  lease_queue queue;
  device_health health;
  caf::error closed; // why there are no leases any more
  lease_log log;
  caf::actor_clock::time_point began;
  std::chrono::system_clock::duration began_at;  // since the epoch
  std::map<std::uint64_t, waiter> waiting;       // by ticket
  std::map<std::uint64_t, caf::actor_addr> held; // by fence
  std::set<caf::actor_addr> watched;
};

using gpu_owner_impl = gpu_owner_actor::stateful_impl<gpu_owner_state>;

} // namespace

gpu_owner_actor spawn_gpu_owner(caf::actor_system& sys, gpu_owner_options options) {
  return sys.spawn<gpu_owner_impl>(std::move(options));
}

device_probe_actor spawn_device_probe(caf::actor_system& sys, std::function<caf::error()> probe) {
  auto run = [probe = std::move(probe)](device_probe_actor::pointer) {
    return device_probe_actor::behavior_type{
      [probe](start_atom) -> caf::result<void> {
        if (auto error = probe())
          return error;
        return caf::unit;
      },
    };
  };
  return sys.spawn<caf::detached>(std::move(run));
}

caf::timespan patience(const lease_request& x) {
  constexpr auto slack = std::chrono::seconds{10};
  constexpr auto longest = std::chrono::milliseconds{std::chrono::hours{24 * 365}};
  if (x.timeout_ms == 0)
    return caf::infinite;
  return slack + std::clamp(std::chrono::milliseconds{x.timeout_ms}, {}, longest);
}

} // namespace lathe::gpu
