#include "runtime/device_router.hpp"

#include "messages/error.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace lathe::runtime {

session_places::session_places(std::size_t count) : devices_(count) {
  // nop
}

std::size_t session_places::of(const session_id& session) {
  auto [place, is_new] = places_.try_emplace(session, 0);
  if (is_new || (devices_[place->second].lost && any_left())) {
    place->second = emptiest();
    ++devices_[place->second].sessions;
  }
  return place->second;
}

void session_places::leave(const session_id& session) {
  auto place = places_.extract(session);
  if (!place.empty())
    --devices_[place.mapped()].sessions;
}

void session_places::lose(std::size_t place) {
  devices_[place].lost = true;
}

bool session_places::any_left() const {
  return !std::ranges::all_of(devices_, &device::lost);
}

// Among those that are not lost; once all are, it does not matter.
std::size_t session_places::emptiest() const {
  auto i = std::ranges::min_element(devices_, {}, [](const device& x) {
    return std::pair{x.lost, x.sessions};
  });
  return static_cast<std::size_t>(i - devices_.begin());
}

namespace {

struct device_router_state {
  static inline const char* name = "device.router";

  // What the router knows of a session.
  struct session {
    std::optional<prepare_request> subject; // as it was prepared last
    std::optional<std::size_t> prepared_on; // a device's number
    // Until it is prepared on another device, and it is being prepared there while any wait.
    std::vector<std::function<void(const caf::error&)>> waiting;
  };

  explicit device_router_state(evaluator_actor::pointer selfptr) : self(selfptr) {
    // nop
  }

  // -- callbacks for the behavior -------------------------------------------------------

  caf::result<task_profile> prepare(prepare_request& x) {
    auto promise = self->make_response_promise<task_profile>();
    sessions[x.subject.name].subject = x;
    prepare(
      x.subject.name, [promise](task_profile& found) mutable { promise.deliver(std::move(found)); },
      [promise](const caf::error& why) mutable { promise.deliver(why); });
    return promise;
  }

  caf::result<verdict> evaluate(evaluation_request& x) {
    auto promise = self->make_response_promise<verdict>();
    evaluate(std::move(x), promise);
    return promise;
  }

  caf::result<recipe_book> run_recipes(recipe_request& x) {
    return self->delegate(fronts[places->of(x.session)], std::move(x));
  }

  void release(const task_release& x) {
    self->send(fronts[places->of(x.session)], x);
    places->leave(x.session);
    sessions.erase(x.session);
  }

  // -- one request after another, until a device answers ----------------------------------

  using on_profile = std::function<void(task_profile&)>;
  using on_error = std::function<void(const caf::error&)>;

  void prepare(const session_id& name, on_profile done, on_error failed) {
    auto place = places->of(name);
    self->request(fronts[place], caf::infinite, *sessions[name].subject)
      .then(
        [this, name, place, done](task_profile& x) {
          sessions[name].prepared_on = place;
          done(x);
        },
        [this, name, place, done, failed](caf::error& why) {
          if (goes_on_elsewhere(place, why))
            prepare(name, done, failed);
          else
            failed(why);
        });
  }

  void evaluate(evaluation_request x, caf::typed_response_promise<verdict> promise) {
    auto place = places->of(x.session);
    auto& known = sessions[x.session];
    // A session that never was prepared is told so by its evaluator.
    if (!known.waiting.empty() || (known.prepared_on && *known.prepared_on != place))
      return move(x.session, [this, x, promise](const caf::error& why) mutable {
        if (why)
          promise.deliver(why);
        else
          evaluate(std::move(x), promise);
      });
    self->request(fronts[place], caf::infinite, x)
      .then([promise](verdict& found) mutable { promise.deliver(std::move(found)); },
            [this, place, x, promise](caf::error& why) mutable {
              if (goes_on_elsewhere(place, why))
                evaluate(std::move(x), promise);
              else
                promise.deliver(std::move(why));
            });
  }

  /// Prepares the session on the device where it is now, once for all who wait for that.
  void move(const session_id& name, on_error then) {
    auto& known = sessions[name];
    known.waiting.push_back(std::move(then));
    if (known.waiting.size() > 1)
      return;
    prepare(
      name,
      [this, name](task_profile&) {
        if (tell)
          tell(name, *sessions[name].prepared_on);
        moved(name, {});
      },
      [this, name](const caf::error& why) { moved(name, why); });
  }

  void moved(const session_id& name, const caf::error& why) {
    for (auto& then : std::exchange(sessions[name].waiting, {}))
      then(why);
  }

  bool goes_on_elsewhere(std::size_t place, const caf::error& why) {
    if (why != errc::device_lost)
      return false;
    places->lose(place);
    return places->any_left();
  }

  // -- state ------------------------------------------------------------------------------

  evaluator_actor::pointer self;
  std::vector<evaluator_actor> fronts;
  session_moved tell;
  std::optional<session_places> places;
  std::map<session_id, session> sessions;
};

} // namespace

evaluator_actor spawn_device_router(caf::actor_system& sys, std::vector<evaluator_actor> fronts,
                                    session_moved tell) {
  auto run = [fronts = std::move(fronts), tell = std::move(tell)](
               evaluator_actor::stateful_pointer<device_router_state> self) mutable
    -> evaluator_actor::behavior_type {
    auto& st = self->state;
    st.places.emplace(fronts.size());
    st.fronts = std::move(fronts);
    st.tell = std::move(tell);
    return {
      [&st](prepare_request& x) { return st.prepare(x); },
      [&st](evaluation_request& x) { return st.evaluate(x); },
      [&st](recipe_request& x) { return st.run_recipes(x); },
      [&st](const task_release& x) { st.release(x); },
    };
  };
  return sys.spawn(std::move(run));
}

} // namespace lathe::runtime
