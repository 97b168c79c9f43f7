#include "actors/session.hpp"

#include "actors/session_journal.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace lathe::actors {

namespace {

// Pools and the evaluator have limits of their own and always answer; these only guard against one
// that is gone. They include the time that a request waits for its turn.
constexpr auto agent_patience = std::chrono::hours{30 * 24};
constexpr auto journal_patience = std::chrono::minutes{5};

// How long to wait before a full queue is tried again.
constexpr auto overload_pause = std::chrono::milliseconds{250};

constexpr auto longest_timer = std::chrono::hours{1};

struct session_actor_state {
  static inline const char* name = "session";

  explicit session_actor_state(session_actor::pointer selfptr) : self(selfptr) {
    // nop
  }

  // -- callbacks for the behavior ---------------------------------------------------------

  void start() {
    for (auto& [hash, text] : options.texts)
      state.add_text(hash, std::move(text));
    options.texts.clear();
    for (auto& event : options.past)
      state.apply(event);
    if (options.fresh)
      unwritten = std::move(options.past);
    options.past.clear();
    began = options.clock() - state.elapsed();
    watch_time();
    if (state.profile() && !state.ended())
      prepare_again();
    else
      take_up();
  }

  session_status status() const {
    return state.status();
  }

  void update(session_update& x) {
    options.peers.agents = std::move(x.agents);
    happened(topology_changed{std::move(x.plan)});
    watch_time();
  }

  caf::result<void> stop() {
    stopping = true;
    drain(make_error(errc::cancelled, "the run is being stopped"));
    auto promise = self->make_response_promise<void>();
    stop_promises.push_back(promise);
    answer_stop();
    return promise;
  }

  // -- starting -----------------------------------------------------------------------------

  /// An earlier run prepared the task; this run's evaluator does not know it yet.
  void prepare_again() {
    self->request(options.peers.evaluator, agent_patience, state.preparation())
      .then([this](task_profile&) { take_up(); },
            [this](caf::error& reason) { self->quit(std::move(reason)); });
  }

  /// Goes on where the past ends: asks again what was not answered.
  void take_up() {
    auto unanswered = state.in_flight();
    go_on();
    for (auto& [id, request] : unanswered)
      send(request);
  }

  // -- questions that wait to go out -----------------------------------------------------------

  void watch_time() {
    auto wall = state.plan().budget.wall;
    if (wall <= 0 || state.ended())
      return;
    auto left = std::chrono::duration<double>(wall - elapsed());
    if (left.count() <= 0)
      return drain(make_error(errc::cancelled, "the time of its task is used up"));
    auto pause = std::min<std::chrono::duration<double>>(left, longest_timer);
    self->run_delayed(std::chrono::duration_cast<caf::timespan>(pause), [this] { watch_time(); });
  }

  void drain(const caf::error& why) {
    if (options.drain)
      options.drain(why);
  }

  // -- events -------------------------------------------------------------------------------

  /// Takes an event in, decides what follows from it, journals both, then acts.
  void happened(session_event event) {
    looks = 0;
    state.apply(event);
    unwritten.push_back(std::move(event));
    go_on();
  }

  void go_on() {
    while (auto event = state.next(elapsed(), stopping)) {
      state.apply(*event);
      unwritten.push_back(std::move(*event));
    }
    write();
  }

  void write() {
    if (unwritten.empty()) {
      rest();
      return;
    }
    journal_append batch;
    for (auto& event : unwritten)
      batch.records.push_back(to_record(options.name, event));
    batch.contents = std::exchange(new_texts, {});
    ++writing;
    self->request(options.peers.journal, journal_patience, std::move(batch))
      .then(
        [this, events = std::exchange(unwritten, {})](std::int64_t) {
          --writing;
          for (auto& event : events)
            act_on(event);
          rest();
        },
        [this](caf::error& reason) { self->quit(std::move(reason)); });
  }

  /// The event is on disk: now it may have effects.
  void act_on(const session_event& event) {
    if (std::holds_alternative<session_ended>(event)
        || std::holds_alternative<session_suspended>(event))
      self->send(options.peers.evaluator, task_release{state.subject().name});
    if (options.observe)
      options.observe(state, event);
    if (auto* request = std::get_if<request_issued>(&event))
      send(*request);
  }

  /// What comes after something has happened, or has turned out not to have happened yet.
  void rest() {
    answer_stop();
    look_into_mailboxes();
  }

  void answer_stop() {
    bool waits_for_paid_work
      = std::any_of(state.in_flight().begin(), state.in_flight().end(), [this](const auto& x) {
          auto* agent = state.plan().agent(x.second.target);
          return agent != nullptr && !agent->model.empty() && !parked.contains(x.first)
                 && !left.contains(x.first);
        });
    if (writing > 0 || waits_for_paid_work)
      return;
    for (auto& promise : stop_promises)
      promise.deliver();
    stop_promises.clear();
  }

  // -- mailboxes ------------------------------------------------------------------------------

  void look_into_mailboxes() {
    if (stopping || parked.empty())
      return;
    auto only_these = writing == 0 && parked.size() == state.in_flight().size();
    if (!only_these)
      return look_later();
    if (looks == 0)
      alone_since = options.clock();
    else if (options.clock() - alone_since >= options.linger)
      return suspend();
    if (++looks == 1)
      look();
    else
      look_later();
  }

  void look_later() {
    if (std::exchange(look_is_due, true))
      return;
    self->run_delayed(options.look_again, [this] {
      look_is_due = false;
      look();
    });
  }

  void look() {
    if (stopping)
      return;
    for (auto id : std::exchange(parked, {})) {
      auto request = state.in_flight().at(id);
      send(request);
    }
  }

  void suspend() {
    stopping = true;
    happened(session_suspended{static_cast<std::int32_t>(parked.size())});
  }

  // -- requests -------------------------------------------------------------------------------

  void send(const request_issued& request) {
    std::visit([&](auto&& message) { send(request, std::forward<decltype(message)>(message)); },
               state.message_for(request));
  }

  void send(const request_issued& request, prepare_request&& message) {
    ask(options.peers.evaluator, request, std::move(message),
        [this](task_profile& x) { happened(task_prepared{std::move(x)}); });
  }

  void send(const request_issued& request, evaluation_request&& message) {
    ask(options.peers.evaluator, request, std::move(message),
        [this, request](verdict& x) {
          happened(verdict_received{request.id, request.subject, std::move(x)});
        });
  }

  void send(const request_issued& request, plan_request&& message) {
    ask(agent<planner_actor>(request), request, std::move(message),
        [this, id = request.id](idea_list& x) { happened(ideas_received{id, std::move(x)}); });
  }

  void send(const request_issued& request, assignment&& message) {
    ask(agent<coder_actor>(request), request, std::move(message),
        [this, request](draft& x) { received(request, x); });
  }

  void send(const request_issued& request, fix_request&& message) {
    ask(agent<fixer_actor>(request), request, std::move(message),
        [this, request](draft& x) { received(request, x); });
  }

  void send(const request_issued& request, profile_request&& message) {
    ask(agent<profiler_actor>(request), request, std::move(message),
        [this, id = request.id](insight& x) { happened(insight_received{id, std::move(x)}); });
  }

  void send(const request_issued& request, recipe_request&& message) {
    ask(agent<recipe_actor>(request), request, std::move(message), [this, request](recipe_book& x) {
      drafts_received event{request.id, {}, std::move(x.declined), {}, std::move(x.usable)};
      for (auto& recipe : x.drafts)
        add_draft(event, request, recipe);
      happened(std::move(event));
    });
  }

  void received(const request_issued& request, draft& x) {
    drafts_received event{request.id, {}, {}, x.cost, {}};
    add_draft(event, request, x);
    happened(std::move(event));
  }

  void add_draft(drafts_received& event, const request_issued& request, draft& x) {
    auto hash = content_hash(x.source);
    auto id = state.next_candidate_id(request.target, static_cast<std::int32_t>(event.drafts.size()));
    event.drafts.push_back({id, hash, std::move(x.label), std::move(x.problem)});
    new_texts.push_back({hash, x.source});
    state.add_text(hash, std::move(x.source));
  }

  template <class Interface>
  Interface agent(const request_issued& request) {
    auto i = options.peers.agents.find(request.target);
    return i == options.peers.agents.end() ? Interface{} : caf::actor_cast<Interface>(i->second);
  }

  template <class Handle, class Message, class OnAnswer>
  void ask(const Handle& target, const request_issued& request, Message message,
           OnAnswer on_answer) {
    if (!target) {
      happened(request_failed{request.id, errc::cancelled,
                              fmt::format("agent '{}' is not there any more", request.target)});
      return;
    }
    self->request(target, agent_patience, std::move(message))
      .then(std::move(on_answer),
            [this, request](caf::error& reason) { failed(request, reason); });
  }

  void failed(const request_issued& request, const caf::error& reason) {
    auto code = reason.category() == caf::type_id_v<errc> ? static_cast<errc>(reason.code())
                                                           : errc::evaluator_failed;
    if (code == errc::overloaded && !stopping)
      self->run_delayed(overload_pause, [this, request] { send(request); });
    else if ((code == errc::cancelled || code == errc::overloaded) && stopping)
      leave(request.id); // stays in flight: a resumed run asks again
    else if (code == errc::awaits_mailbox)
      park(request.id); // so does this
    else if (code == errc::provider_unreachable || code == errc::provider_refused
             || code == errc::device_lost || code == errc::journal_failed)
      self->quit(reason); // so does this, and all that it would go on to ask in vain
    else
      happened(request_failed{request.id, code, describe(reason)});
  }

  void leave(request_id id) {
    left.insert(id);
    answer_stop();
  }

  void park(request_id id) {
    parked.insert(id);
    rest();
  }

  double elapsed() const {
    return options.clock() - began;
  }

  // -- members --------------------------------------------------------------------------------

  session_actor::pointer self;
  session_options options;
  session_state state;
  std::vector<session_event> unwritten; // applied, not yet sent to the journal
  std::vector<journal_content> new_texts;
  int writing = 0;                      // appends without an answer
  double began = 0;                     // on the clock of `options`, less what earlier runs worked
  std::set<request_id> left;            // came back unanswered because the run stops
  std::set<request_id> parked;          // questions in mailboxes that nobody asks for now
  bool look_is_due = false;             // they will be asked again
  int looks = 0;                        // at mailboxes since anything else has happened
  double alone_since = 0;               // on the clock of `options`: when only mailboxes were left
  bool stopping = false;                // or suspended
  std::vector<caf::typed_response_promise<void>> stop_promises;
};

} // namespace

session_actor spawn_session(caf::actor_system& sys, session_options options) {
  auto run = [options = std::move(options)](
               session_actor::stateful_pointer<session_actor_state> self) mutable
    -> session_actor::behavior_type {
    auto& st = self->state;
    st.options = std::move(options);
    return {
      [&st](start_atom) { st.start(); },
      [&st](status_atom) { return st.status(); },
      [&st](session_update& x) { st.update(x); },
      [&st](stop_atom) { return st.stop(); },
    };
  };
  return sys.spawn(std::move(run));
}

} // namespace lathe::actors
