#pragma once

#include "actors/session_state.hpp"
#include "messages/interfaces.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/error.hpp>
#include <caf/fwd.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace lathe::actors {

/// Where a session's requests go.
struct session_peers {
  journal_actor journal;
  evaluator_actor evaluator;
  std::map<std::string, caf::strong_actor_ptr> agents; ///< pools, by the agent's name
};

/// What a session gets at its start.
struct session_options {
  session_id name;
  std::vector<session_event> past; ///< from the journal, or a single `session_started`
  bool fresh = true;               ///< `past` is not in the journal yet
  std::map<std::string, std::string> texts; ///< candidates named in `past`, by hash
  session_peers peers;
  /// Seconds since any fixed moment.
  std::function<double()> clock;
  /// How long to wait before mailboxes are looked into again.
  std::chrono::milliseconds look_again{5'000};
  /// How long to go on looking when nothing else is left, before the session is suspended.
  double linger = 0; ///< [seconds]
  /// Called when the session is stopped, or its time is up, with the answer that its questions get
  /// which have not gone out; empty: they go out all the same.
  std::function<void(const caf::error& why)> drain;
  /// Called after each event that is in the journal, on the session's thread.
  std::function<void(const session_state&, const session_event&)> observe;
};

/// Spawns the actor that drives a `session_state`: journals each event, then carries it out.
/// Questions that wait in mailboxes are asked again from time to time. When nothing but these is
/// left, the session is suspended: it does nothing more until another run takes it up.
session_actor spawn_session(caf::actor_system& sys, session_options options);

} // namespace lathe::actors
