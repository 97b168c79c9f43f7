#pragma once

#include "llm_clients/circuit_breaker.hpp"
#include "llm_clients/fair_queue.hpp"
#include "llm_clients/ledger.hpp"
#include "llm_clients/provider.hpp"
#include "llm_clients/rate_limit.hpp"

#include <caf/error.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lathe::llm_clients {

/// Numbers the gateway's calls; never used twice.
using call_id = std::uint64_t;

/// Decides which call goes out next: as many as each model's limits allow, none while a breaker is
/// open, a bounded queue in front in which sessions take turns, and never more money than the
/// ledger grants. A model has a breaker for what its server says (HTTP 5xx), and all models of a
/// server one for what nobody says: no connection, or one that breaks. Pure: no clock, no actors,
/// no network.
class dispatcher {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A call that wants to go out.
  struct job {
    call_id id = 0;
    payer who;          ///< and the model that it asks
    spend worst;        ///< the most that it can take of budgets
    call_tokens tokens; ///< that it is likely to take
    std::int32_t priority = 0; ///< within its session; the higher goes first
  };

  /// A call that leaves the queue: to its provider, or back to who asked when `refusal` is set.
  struct step {
    call_id id = 0;
    caf::error refusal;
    bool of_model = false; ///< it is the model's own budget that is used up
  };

  dispatcher(spending_limits limits, std::size_t max_waiting, breaker_policy patience = {});

  // Lanes point into a map, whose elements a move leaves where they are.
  dispatcher(dispatcher&&) = default;

  dispatcher& operator=(dispatcher&&) = default;

  /// @param server names where it is; models with the same name share that server's breaker
  void add_model(const std::string& model, const model_limits& limits, const std::string& server);

  /// Counts what was spent before.
  void seed(const payer& who, const spend& spent);

  /// Counts a call that went out before, and has ended. Calls come in the order in which they
  /// started, and before any other.
  void seed(const std::string& model, time_point started, const call_tokens& tokens);

  /// Goes on within other budgets.
  void change(spending_limits limits);

  // -- queue ----------------------------------------------------------------------------

  /// Puts `x` into its model's queue; `overloaded` when that is full.
  caf::error push(job x);

  /// Puts `x` first among its session's, queue full or not: a call that comes back for another
  /// attempt.
  void push_again(job x);

  /// Returns what to do next, or nothing while all must wait. Calls whose session waits for money
  /// are passed over, so one session cannot hold up another; where a mailbox has all of it they are
  /// refused with `awaits_mailbox`.
  std::optional<step> next(time_point now);

  /// When `next` may give a call although nothing has ended, as it was found when it last gave
  /// nothing.
  std::optional<time_point> wakes_at() const {
    return wakes_at_;
  }

  /// Takes a call out of its model's queue. Returns false where it is not there.
  bool drop(const std::string& model, call_id id);

  /// Empties a model's queue and returns what was in it.
  std::vector<call_id> drop_waiting(const std::string& model);

  // -- calls that went out ----------------------------------------------------------------

  /// Ends a call that was answered. Returns false for a call that is not out.
  bool settle(call_id id, const spend& actual);

  /// Ends a call that was not answered, and may cost something all the same.
  /// @param in_trouble whether that speaks against its server
  /// @param chance in [0, 1), for a breaker's cool-down
  bool fail(time_point now, call_id id, const failure& why, const spend& charged, bool in_trouble,
            double chance);

  /// Ends a call that nobody waits for any more, which says nothing of its server.
  bool withdraw(call_id id, const spend& charged);

  /// Sets a call aside that went into a mailbox: it may be answered in days, and keeps its money
  /// until then. Returns false for a call that is not out.
  bool set_aside(call_id id);

  /// Counts a call as set aside that an earlier run put into a mailbox. Returns false when budgets
  /// have become too small for it.
  bool hold(call_id id, const payer& who, const spend& worst);

  /// Takes a call up again that was set aside.
  void take_up(call_id id);

  /// Takes what a model's server says of its limits.
  void observe(time_point now, const std::string& model, const header_map& headers);

  // -- properties -------------------------------------------------------------------------

  const ledger& money() const {
    return ledger_;
  }

  /// Whether a call is out, and may cost something.
  bool is_out(call_id id) const {
    return out_.count(id) > 0;
  }

  /// Whether a model is left alone for now, because its server keeps failing, or has asked for a
  /// long time.
  bool is_left_alone(const std::string& model, time_point now) const;

  /// Until when a model's server has asked to be left alone; the past where it has not.
  time_point held_until(const std::string& model) const;

private:
  struct lane {
    rate_limit limits;
    circuit_breaker breaker;
    circuit_breaker* server; // shared with other models there
    fair_queue<job> waiting;
  };

  struct under_way {
    payer who;
    ledger::ticket money = 0;
    rate_limit::ticket rate = 0;
    circuit_breaker::pass pass = 0;
    circuit_breaker::pass server_pass = 0;
    bool aside = false;
  };

  // Returns whether a call may go out now, but for its money.
  bool has_room(lane& x, time_point now, const call_tokens& tokens);

  std::optional<step> next(lane& from, time_point now);

  // Whether all that is reserved of somebody's budget is for calls that were set aside.
  bool waits_for_mailbox(const payer& account) const;

  ledger ledger_;
  std::size_t max_waiting_;
  breaker_policy patience_;
  std::optional<time_point> wakes_at_;
  std::map<std::string, circuit_breaker> servers_;
  std::map<std::string, lane> lanes_; // by model
  std::map<call_id, under_way> out_;
};

} // namespace lathe::llm_clients
