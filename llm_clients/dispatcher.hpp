#pragma once

#include "llm_clients/ledger.hpp"

#include <caf/error.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lathe::llm_clients {

/// Numbers the gateway's calls; never used twice.
using call_id = std::uint64_t;

/// Decides which call goes out next: so many at once per model, a bounded queue in front, and never
/// more money than the ledger grants. Pure: no clock, no actors, no network.
class dispatcher {
public:
  /// A call that wants to go out.
  struct job {
    call_id id = 0;
    std::string model;
    session_id session;
    double worst_usd = 0;
  };

  /// A call that leaves the queue: to its provider, or back to who asked when `refusal` is set.
  struct step {
    call_id id = 0;
    caf::error refusal;
  };

  dispatcher(budget_config budget, std::size_t max_waiting);

  void add_model(const std::string& model, std::int32_t in_flight);

  /// Counts what a session has spent before.
  void seed(const session_id& session, const spend& spent);

  // -- queue ----------------------------------------------------------------------------

  /// Puts `x` last in its model's queue; `overloaded` when that is full.
  caf::error push(job x);

  /// Puts `x` first in its model's queue, full or not: a call that comes back for another attempt.
  void push_again(job x);

  /// Returns what to do next, or nothing while all must wait. Calls whose session waits for money
  /// are passed over, so one session cannot hold up another.
  std::optional<step> next();

  /// Empties a model's queue and returns what was in it.
  std::vector<call_id> drop_waiting(const std::string& model);

  // -- calls that went out ----------------------------------------------------------------

  /// Ends a call that has to be paid for. Returns false for a call that is not out.
  bool settle(call_id id, const spend& actual);

  /// Ends a call that cost nothing. Returns false for a call that is not out.
  bool release(call_id id);

  // -- properties -------------------------------------------------------------------------

  const ledger& money() const {
    return ledger_;
  }

private:
  struct lane {
    std::int32_t limit = 1;
    std::int32_t out = 0;
    std::deque<job> waiting;
  };

  struct under_way {
    std::string model;
    ledger::ticket ticket = 0;
  };

  std::optional<step> next(lane& from);

  std::optional<ledger::ticket> end(call_id id);

  ledger ledger_;
  std::size_t max_waiting_;
  std::map<std::string, lane> lanes_; // by model
  std::map<call_id, under_way> out_;
};

} // namespace lathe::llm_clients
