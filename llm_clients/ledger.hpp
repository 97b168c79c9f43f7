#pragma once

#include "messages/llm.hpp"
#include "messages/topology.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace lathe::llm_clients {

/// Keeps every session within its budget. Each call reserves the most it can cost before it goes
/// out and settles what it did cost afterwards, so spent plus reserved never exceeds the budget,
/// however many calls are under way. Pure.
class ledger {
public:
  /// Names a reservation; never used twice.
  using ticket = std::uint64_t;

  enum class decision {
    granted,
    wait,      ///< fits once reservations of other calls are settled
    exhausted, ///< does not fit any more
  };

  struct grant {
    ledger::decision decision;
    ledger::ticket ticket = 0; ///< set when granted
  };

  /// Gives every session the same budget. Zero: no limit.
  explicit ledger(budget_config budget);

  // -- reservations -------------------------------------------------------------------

  /// Counts what a session has spent before this ledger began.
  void seed(const session_id& session, const spend& spent);

  /// Reserves one query that costs at most `worst_usd`.
  grant reserve(const session_id& session, double worst_usd);

  /// Ends a reservation with what the call did cost. An unknown ticket is ignored.
  void settle(ticket id, const spend& actual);

  /// Ends a reservation of a call that cost nothing. An unknown ticket is ignored.
  void release(ticket id);

  // -- properties ---------------------------------------------------------------------

  /// What a session has spent, without reservations.
  spend spent(const session_id& session) const;

  /// Says in a sentence what a session has spent of what it may spend.
  std::string describe(const session_id& session) const;

private:
  // Sums are kept in billionths of a dollar: adding and taking back must not drift.
  struct account {
    spend spent;
    std::int64_t spent_nano = 0;
    std::int64_t reserved_nano = 0;
    std::int64_t reserved_queries = 0;
  };

  struct reservation {
    session_id session;
    std::int64_t nano = 0;
  };

  // Takes the reservation off its account, which is returned; nullptr for an unknown ticket.
  account* close(ticket id);

  budget_config budget_;
  std::int64_t budget_nano_;
  std::map<session_id, account> accounts_;
  std::map<ticket, reservation> open_;
  ticket last_ticket_ = 0;
};

} // namespace lathe::llm_clients
