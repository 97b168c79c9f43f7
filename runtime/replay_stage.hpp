#pragma once

#include "llm_clients/provider_factory.hpp"
#include "messages/interfaces.hpp"
#include "runtime/journal/journal_store.hpp"
#include "runtime/recording.hpp"
#include "runtime/replayed_clock.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/fwd.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace lathe::runtime {

/// How a run that was played again came out.
struct replay_outcome {
  std::size_t played = 0; ///< events that are the same
  std::string parting;    ///< where it parted from the recording and how; empty: it did not
};

/// What a replay starts with.
struct replay_options {
  std::shared_ptr<const recording> past;
  std::shared_ptr<journal_store> texts; ///< the recording's; nobody else uses it
  journal_actor journal;                ///< of the run that is played
  /// How long to wait for what comes next. It takes milliseconds, so that it never will.
  std::chrono::milliseconds patience{30'000};
  /// Called once, from any thread. Nothing is written to the journal afterwards.
  std::function<void(replay_outcome)> finished;
};

/// Stands in for all that a run has outside of it.
using replay_actor = journal_actor::extend_with<evaluator_actor>::extend_with<
  gateway_actor>::extend_with<profiler_actor>;

/// Has a run happen as its recording says, in that order. Sessions, agents and gateway are real;
/// what they get from outside is recorded:
/// - verdicts, task profiles and drafts of recipes, and what models answer;
/// - the failures of all these, but for budgets that are used up, which the gateway decides;
/// - records of devices, which are written as they are.
/// Whatever is written is compared, and where it differs the replay ends.
struct replay_stage {
  replay_actor handle; ///< in front of the gateway for agents, of the journal for everybody
  llm_clients::provider_factory providers; ///< for the gateway, as the next
  std::function<void(const llm_request&, std::function<void()> again)> retries_when;
  std::map<session_id, std::shared_ptr<replayed_clock>> clocks;

  /// To be called before a session starts.
  /// @param profilers agents that ask no model, by name
  std::function<void(gateway_actor, std::map<std::string, caf::strong_actor_ptr> profilers)>
    connect;
};

replay_stage spawn_replay_stage(caf::actor_system& sys, replay_options options);

} // namespace lathe::runtime
