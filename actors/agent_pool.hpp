#pragma once

#include "messages/error.hpp"
#include "messages/interfaces.hpp"

#include <caf/system_messages.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>

namespace lathe::actors {

/// An agent that turns requests of one type into answers of one type.
template <class Request, class Answer>
using agent_of = caf::typed_actor<caf::result<Answer>(Request)>;

/// A pool of such agents, behind the same interface.
template <class Request, class Answer>
using pool_of = typename agent_of<Request, Answer>::template extend_with<pool_actor>;

/// Makes one agent of a pool.
template <class Request, class Answer>
using agent_factory
  = std::function<agent_of<Request, Answer>(caf::actor_system&, const agent_config&)>;

/// How a pool treats its agents. The defaults are what runs use.
struct pool_limits {
  std::size_t queue = 4096;                            ///< requests that may wait
  std::int32_t deaths = 3;                             ///< agents a request may kill
  std::chrono::milliseconds first_backoff{50};         ///< before an agent is replaced
  std::chrono::milliseconds longest_backoff{10'000};   ///< doubles up to here
};

/// Gives requests to idle agents, one at a time each: sessions take turns, and within one whoever
/// comes first is served first. A crashed agent is replaced after a back-off and its request given
/// out again at once; a request that killed too many agents is answered with `dead_letter`.
template <class Request, class Answer>
struct agent_pool_state {
  using agent = agent_of<Request, Answer>;
  using pool = pool_of<Request, Answer>;
  using self_pointer = typename pool::pointer;

  static inline const char* name = "agent.pool";

  struct job {
    Request request;
    caf::typed_response_promise<Answer> promise;
    std::int32_t deaths = 0;
  };

  struct worker {
    agent handle;
    std::optional<job> busy;
    bool retired = false; ///< quits when it is idle: the configuration changed
  };

  explicit agent_pool_state(self_pointer selfptr) : self(selfptr) {
    // nop
  }

  /// The pool ends, and its agents with it. That nobody knows them any more is not enough: CAF's
  /// clock keeps whoever has asked something until it next wakes, which may be at the timeout.
  ~agent_pool_state() {
    for (auto& [id, x] : workers)
      caf::anon_send_exit(x.handle, caf::exit_reason::kill);
  }

  // -- callbacks for the behavior ---------------------------------------------------------

  caf::result<Answer> accept(Request& request) {
    if (draining)
      return make_error(errc::cancelled, fmt::format("agent '{}' is leaving", config.name));
    if (waiting.size() >= limits.queue)
      return make_error(errc::overloaded,
                        fmt::format("agent '{}' has {} requests waiting", config.name,
                                    waiting.size()));
    auto promise = self->template make_response_promise<Answer>();
    waiting.push_back({std::move(request), promise, 0});
    hand_out();
    return promise;
  }

  pool_status status() const {
    pool_status result;
    result.name = config.name;
    result.instances = config.instances;
    result.busy = static_cast<std::int32_t>(
      std::count_if(workers.begin(), workers.end(), [](auto& x) { return x.second.busy.has_value(); }));
    result.queued = static_cast<std::int32_t>(waiting.size());
    result.answered = answered;
    result.restarts = restarts;
    return result;
  }

  void update(const agent_config& fresh) {
    bool same_agent = [&] {
      auto x = fresh;
      x.instances = config.instances;
      return x == config;
    }();
    config = fresh;
    if (!same_agent)
      for (auto& [id, x] : workers)
        x.retired = true;
    adjust();
  }

  void drain() {
    draining = true;
    adjust();
  }

  void replace() {
    replacement_due = false;
    adjust();
  }

  // -- workers --------------------------------------------------------------------------------

  /// Brings the number of agents to what the configuration says and lets retired ones go.
  void adjust() {
    std::int32_t serving = 0;
    for (auto i = workers.begin(); i != workers.end();) {
      auto& x = i->second;
      bool surplus = x.retired || serving >= config.instances || (draining && waiting.empty());
      if (surplus && !x.busy) {
        self->demonitor(x.handle);
        self->send_exit(x.handle, caf::exit_reason::user_shutdown);
        i = workers.erase(i);
        continue;
      }
      serving += surplus ? 0 : 1;
      ++i;
    }
    for (; serving < config.instances && !replacement_due && !(draining && waiting.empty()); ++serving)
      add_worker();
    if (draining && workers.empty())
      self->quit();
    else
      hand_out();
  }

  void add_worker() {
    auto handle = make(self->system(), config);
    self->monitor(handle);
    workers.emplace(handle->id(), worker{handle, std::nullopt, false});
  }

  void hand_out() {
    for (auto& [id, x] : workers) {
      if (waiting.empty())
        return;
      if (!x.busy && !x.retired) {
        auto next = find_next();
        x.busy = std::move(*next);
        waiting.erase(next);
        ask(id, x);
      }
    }
  }

  /// Of those whose session has waited for longest since it had its turn, the first; before all of
  /// them one that lost its agent.
  auto find_next() {
    auto next = waiting.begin();
    if constexpr (requires(Request x) { x.session; }) {
      if (next->deaths == 0)
        next = std::ranges::min_element(waiting, {}, [this](const job& x) {
          auto turn = turns.find(x.request.session);
          return turn == turns.end() ? 0 : turn->second;
        });
      turns[next->request.session] = ++last_turn;
    }
    return next;
  }

  void ask(caf::actor_id id, worker& x) {
    auto limit = std::chrono::duration_cast<caf::timespan>(std::chrono::duration<double>(config.timeout));
    self->request(x.handle, limit, x.busy->request)
      .then(
        [this, id](Answer& answer) {
          if (auto done = finish(id))
            done->promise.deliver(std::move(answer));
          after_answer(id);
        },
        [this, id](caf::error& reason) { failed(id, reason); });
  }

  // -- answers --------------------------------------------------------------------------------

  std::optional<job> finish(caf::actor_id id) {
    auto i = workers.find(id);
    if (i == workers.end())
      return std::nullopt;
    return std::exchange(i->second.busy, std::nullopt);
  }

  void after_answer(caf::actor_id id) {
    ++answered;
    backoff = limits.first_backoff;
    if (auto i = workers.find(id); draining || (i != workers.end() && i->second.retired))
      adjust();
    else
      hand_out();
  }

  // An error of Lathe's own is an answer. Any other means that the agent is gone or stuck.
  void failed(caf::actor_id id, caf::error& reason) {
    if (reason.category() == caf::type_id_v<errc>) {
      if (auto done = finish(id))
        done->promise.deliver(std::move(reason));
      after_answer(id);
      return;
    }
    if (reason == caf::sec::request_timeout) {
      if (auto done = finish(id))
        done->promise.deliver(make_error(
          errc::timed_out,
          fmt::format("agent '{}' gave no answer within {:.0f} s", config.name, config.timeout)));
      if (auto i = workers.find(id); i != workers.end())
        self->send_exit(i->second.handle, caf::exit_reason::kill);
    }
    bury(id, reason);
  }

  /// An agent died. Its request goes to the front of the queue, or out as a dead letter.
  void bury(caf::actor_id id, const caf::error& reason) {
    auto node = workers.extract(id);
    if (node.empty())
      return;
    ++restarts;
    if (auto& lost = node.mapped().busy) {
      if (++lost->deaths >= limits.deaths)
        lost->promise.deliver(make_error(
          errc::dead_letter, fmt::format("the request killed agent '{}' {} times: {}", config.name,
                                         lost->deaths, to_string(reason))));
      else
        waiting.push_front(std::move(*lost));
    }
    if (!replacement_due) {
      replacement_due = true;
      self->run_delayed(backoff, [this] { replace(); });
      backoff = std::min(2 * backoff, limits.longest_backoff);
    }
  }

  // -- members --------------------------------------------------------------------------------

  self_pointer self;
  agent_config config;
  agent_factory<Request, Answer> make;
  pool_limits limits;
  std::map<caf::actor_id, worker> workers;
  std::deque<job> waiting;
  std::map<session_id, std::int64_t> turns; // when a session last had its turn; not yet: missing
  std::int64_t last_turn = 0;
  std::chrono::milliseconds backoff{0};
  bool replacement_due = false; // no agent is added before the back-off has passed
  bool draining = false;
  std::int64_t answered = 0;
  std::int64_t restarts = 0;
};

/// Spawns a pool of `config.instances` agents made by `make`.
template <class Request, class Answer>
pool_of<Request, Answer> spawn_agent_pool(caf::actor_system& sys, agent_config config,
                                          agent_factory<Request, Answer> make,
                                          pool_limits limits = {}) {
  using pool = pool_of<Request, Answer>;
  using state = agent_pool_state<Request, Answer>;
  using self_pointer = typename pool::template stateful_pointer<state>;
  auto run = [config = std::move(config), make = std::move(make),
              limits](self_pointer self) -> typename pool::behavior_type {
    auto& st = self->state;
    st.config = config;
    st.make = make;
    st.limits = limits;
    st.backoff = limits.first_backoff;
    self->set_down_handler([&st](caf::down_msg& x) { st.bury(x.source.id(), x.reason); });
    st.adjust();
    return {
      [&st](Request& x) { return st.accept(x); },
      [&st](status_atom) { return st.status(); },
      [&st](pool_update& x) { st.update(x.config); },
      [&st](drain_atom) { st.drain(); },
    };
  };
  return sys.spawn(std::move(run));
}

} // namespace lathe::actors
