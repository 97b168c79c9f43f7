#pragma once

#include "messages/llm.hpp"
#include "messages/topology.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lathe::llm_clients {

/// The budgets of a run: of everybody, of each agent and of each model; and each of them once for
/// every session, once for all sessions together.
class spending_limits {
public:
  spending_limits() = default;

  /// Takes the budgets of a topology.
  explicit spending_limits(const topology& plan);

  /// Takes a budget that everybody shares.
  explicit spending_limits(const budget_config& budget);

  /// Returns what `who` may spend, or nullptr when there is no budget for him.
  const spend_limit* find(const payer& who) const;

private:
  struct limits {
    spend_limit session;
    spend_limit run;
  };

  void add(const std::string& agent, const std::string& model, const spend_limit& session,
           const spend_limit& run);

  std::map<std::pair<std::string, std::string>, limits> limits_; // by agent and model
};

/// Keeps a run within its budgets. Each call reserves the most it can take before it goes out and
/// settles what it did take afterwards, so spent plus reserved never exceeds a budget, however many
/// calls are under way. Pure.
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
    payer full = {};           ///< not granted: whose budget it is
    std::string why = {};      ///< exhausted: a sentence
  };

  explicit ledger(spending_limits limits);

  /// Goes on with other budgets. What was spent stays spent.
  void change(spending_limits limits);

  // -- reservations -------------------------------------------------------------------

  /// Counts what was spent before this ledger began.
  void seed(const payer& who, const spend& spent);

  /// Reserves one query that takes at most the tokens and the money of `worst`. It counts on the
  /// session, its agent and its model.
  grant reserve(const payer& who, const spend& worst);

  /// Ends a reservation with what the call did take, which may be nothing. An unknown ticket is
  /// ignored.
  void settle(ticket id, const spend& actual);

  // -- properties ---------------------------------------------------------------------

  /// What somebody has spent, without reservations: a session, the run, an agent or a model in
  /// either.
  spend spent(const payer& who) const;

  /// All that has spent something, or may be about to.
  std::vector<account_status> accounts() const;

private:
  // Sums are kept in billionths of a dollar: adding and taking back must not drift.
  struct amount {
    std::int64_t queries = 0;
    std::int64_t tokens = 0;
    std::int64_t nano = 0;

    amount& operator+=(const amount& x);
    amount& operator-=(const amount& x);
    bool fits(const amount& more, const spend_limit& limit) const;
  };

  struct account {
    lathe::spend spend;
    amount spent;
    amount reserved;
  };

  struct reservation {
    payer who;
    amount most;
  };

  static amount amount_of(const spend& x);
  std::string describe(const payer& who, const spend_limit& limit, const spend& worst) const;

  spending_limits limits_;
  std::map<payer, account> accounts_;
  std::map<ticket, reservation> open_;
  ticket last_ticket_ = 0;
};

} // namespace lathe::llm_clients
