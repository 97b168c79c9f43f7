#pragma once

#include "gpu/evaluation_site.hpp"
#include "llm_clients/provider_factory.hpp"
#include "messages/topology.hpp"
#include "runtime/journal/run_directory.hpp"
#include "runtime/lease_timeline.hpp"
#include "runtime/replay_stage.hpp"
#include "runtime/session_result.hpp"

#include <caf/expected.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lathe::runtime {

/// A run that is to be played again.
struct replay_source {
  std::shared_ptr<const recording> past;
  std::shared_ptr<journal_store> texts; ///< of the same journal; nobody else uses it
};

/// What a run starts with.
struct run_options {
  topology plan;
  std::vector<task> tasks;        ///< empty when an earlier run is taken up: the journal knows them
  gpu::site_paths paths;
  std::uint64_t seed = 0;         ///< of the jitter between LLM attempts
  llm_clients::provider_factory providers = llm_clients::standard_providers();
  /// Called with a line for each event that people should see; from any thread.
  std::function<void(const std::string& line)> tell;
  /// Called with a line that people should see on any display: a GPU is in quarantine, say.
  std::function<void(const std::string& line)> warn;
  /// Takes the place of tasks, paths and providers: nothing outside of this process is asked.
  std::optional<replay_source> replay = {};
};

/// A run on this node: many sessions, the pools of agents that they share, evaluator, gateway and
/// journal. Everything that it knows is in its folder, so it can be taken up after any crash.
class run {
public:
  /// Starts a run in a folder that is fresh, or takes up the one that it holds.
  static caf::expected<std::unique_ptr<run>> start(run_directory directory, run_options options);

  virtual ~run() = default;

  /// Waits until all sessions have ended or are suspended, or the recording that is played again
  /// has come to its end; returns false when `limit` came first.
  virtual bool wait(std::chrono::milliseconds limit) = 0;

  /// Issues nothing new and waits for what is paid for. The run can be taken up later.
  virtual void stop() = 0;

  /// Goes on under another topology. Returns what changes, in words; with `dry`, changes nothing.
  /// Fails with `user_error` for a change that a live run does not allow.
  virtual caf::expected<std::vector<std::string>> apply(const topology& plan, bool dry) = 0;

  // -- properties -----------------------------------------------------------------------

  virtual std::vector<session_status> status() = 0;
  virtual std::vector<pool_status> pools() = 0;
  virtual std::vector<session_result> results() = 0;

  /// What models cost so far, calls that brought no answer included.
  virtual std::vector<account_status> spending() = 0;

  /// What the devices' time went to, as far as the journal knows; earlier parts of the run count.
  virtual std::vector<device_time> devices() = 0;

  /// How a replay came out; nothing while it goes on, or when it is none.
  virtual std::optional<replay_outcome> replayed() = 0;

  /// Why the run cannot go on, if it cannot: the journal's disk is full, say.
  virtual std::optional<caf::error> failure() = 0;

  virtual topology plan() const = 0;
  virtual double elapsed() const = 0; ///< [seconds] since this process took the run up
};

/// Returns what would change between two topologies, in words, or `user_error` for a change that a
/// live run does not allow.
caf::expected<std::vector<std::string>> describe_change(const topology& before,
                                                        const topology& after);

} // namespace lathe::runtime
