#pragma once

#include "actors/session.hpp"

#include <caf/actor_system.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace lathe::test {

/// Peers for a session that answer at once: every idea becomes a candidate, and `judge` decides on
/// it. The journal keeps its records in memory.
class fake_world {
public:
  explicit fake_world(caf::actor_system& sys);

  /// Waits until no fake is at work any more: they use this object.
  ~fake_world();

  /// Handles for a session under `small_topology` or `recipes_topology`.
  actors::session_peers peers() const {
    return peers_;
  }

  /// Returns what the journal holds.
  std::vector<journal_record> records() const;

  /// Returns the texts that it holds, by hash.
  std::map<std::string, std::string> texts() const;

  /// Decides on a candidate; the default finds everything correct and twice as fast.
  std::function<caf::result<verdict>(const evaluation_request&)> judge;

  /// What coders answer instead of a draft, if anything.
  std::function<caf::error(const assignment&)> refuse_to_code;

  /// What planners answer instead of ideas, when set before a session starts.
  caf::error plan_error;

  /// Makes the journal fail from now on.
  std::atomic<bool> disk_full{false};

  std::atomic<int> prepared{0};
  std::atomic<int> released{0};
  std::atomic<int> coded{0};

private:
  caf::actor_system& sys_;
  mutable std::mutex mutex_;
  std::vector<journal_record> records_;
  std::map<std::string, std::string> texts_;
  actors::session_peers peers_;
};

/// A verdict with this speed-up; 0 is incorrect.
verdict verdict_of(double speedup);

} // namespace lathe::test
