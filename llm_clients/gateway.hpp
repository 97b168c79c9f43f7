#pragma once

#include "llm_clients/circuit_breaker.hpp"
#include "llm_clients/exchange.hpp"
#include "llm_clients/ledger.hpp"
#include "llm_clients/provider_factory.hpp"
#include "llm_clients/retry_policy.hpp"
#include "messages/interfaces.hpp"
#include "messages/topology.hpp"

#include <caf/fwd.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lathe::llm_clients {

/// What a gateway starts with.
struct gateway_options {
  std::vector<model_config> models;
  spending_limits limits;
  journal_actor journal; ///< may be empty: nothing is written
  earlier_run earlier;   ///< its answers are given again, its money stays spent
  double time = 0;       ///< [seconds since the epoch] now: its last calls count for limits
  provider_factory providers = standard_providers();
  retry_policy retry;
  /// Tells when a question that failed is to be tried again, from any thread; empty: after a wait.
  std::function<void(const llm_request&, std::function<void()> again)> retries_when = {};
  breaker_policy breaker;                ///< when a model is left alone whose server keeps failing
  std::size_t max_waiting = 4'096;       ///< questions that may wait for one model
  std::size_t kept_answers = 256u << 20; ///< [bytes] of this run's answers kept for who asks again
  std::uint64_t seed = 0;                ///< of the jitter between attempts
  /// Called with a line that people should see: a server asks for a long wait; from any thread.
  std::function<void(const std::string& line)> warn = {};
};

/// A gateway as whoever starts it knows it. Told to drain for a session, it lets nothing more of that
/// session go out: what has not gone out is answered with the error, and new questions that have no
/// answer yet. What is out comes to its end, and what is in a mailbox can be asked for. A changed
/// topology ends that.
using drainable_gateway_actor
  = accounting_gateway_actor::extend<caf::result<void>(drain_atom, session_id, caf::error)>;

/// Starts the one actor that asks models. A question gets
/// - the recorded answer, when the same session has asked it before under the same request id;
/// - else a new one, which is in the journal before it is delivered;
/// - or an error: `budget_exhausted`, `overloaded`, `provider_refused` (nothing this model is asked
///   will work; the same sentence for every later question), `provider_failed` (this question got
///   no answer), `provider_unreachable` (as `provider_refused`: the first question used up its
///   retries and nobody was there), `awaits_mailbox` (the question is in a mailbox, or has to wait
///   for the money of those that are; ask again), `journal_failed`, `cancelled` (the gateway
///   stops), `user_error` (no such model).
///
/// The most that a call can cost is in the journal before it goes out, and counts as spent until
/// the journal says how it ended.
///
/// A model with fallbacks is stood in for by the first of them that can be asked, when it refuses a
/// question, has used up its retries or its budget, or is left alone. A wrong key or an unknown
/// model is a mistake that somebody has to mend, and no reason to ask another.
///
/// Send it an exit message to stop it: questions under way are answered with `cancelled`, then its
/// providers, their connections and their thread end, in this order, before the actor is gone.
drainable_gateway_actor spawn_gateway(caf::actor_system& sys, gateway_options options);

} // namespace lathe::llm_clients
