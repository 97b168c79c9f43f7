#pragma once

#include "messages/interfaces.hpp"
#include "runtime/journal/journal_store.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <cstddef>
#include <functional>

namespace lathe::runtime {

/// Returns the time of day. [seconds since the epoch]
double seconds_since_epoch();

struct journal_options {
  /// Gives each record its time. [seconds since the epoch]
  std::function<double()> now = seconds_since_epoch;

  /// Appends that are collected at most before they are written.
  std::size_t largest_batch = 1024;

  /// A power cut loses no more than what was written in this time. A killed process loses nothing.
  std::chrono::milliseconds sync_interval{1000};
};

/// Spawns the only writer of a run's journal, on a thread of its own. It writes in one transaction
/// all appends that are in its mailbox when it gets to them, and answers each once the transaction
/// is written. When a transaction fails, all appends in it get the error; later ones are tried
/// anew. Told to exit, it first writes what it has.
journal_actor spawn_journal(caf::actor_system& sys, journal_store store,
                            journal_options options = {});

} // namespace lathe::runtime
