#include "llm_clients/ledger.hpp"

#include <fmt/format.h>

#include <cmath>

namespace lathe::llm_clients {

namespace {

// Rounded up, so that a sum of parts never falls below the whole.
std::int64_t to_nano(double usd) {
  constexpr double slack = 1e-6; // of a billionth: what binary fractions add to an exact price
  return static_cast<std::int64_t>(std::ceil(usd * 1e9 - slack));
}

} // namespace

ledger::ledger(budget_config budget)
  : budget_(budget), budget_nano_(static_cast<std::int64_t>(std::floor(budget.usd * 1e9 + 1e-6))) {
  // nop
}

void ledger::seed(const session_id& session, const spend& spent) {
  auto& x = accounts_[session];
  x.spent += spent;
  x.spent_nano += to_nano(spent.usd);
}

ledger::grant ledger::reserve(const session_id& session, double worst_usd) {
  auto& x = accounts_[session];
  auto nano = to_nano(worst_usd);
  auto fits = [&](std::int64_t reserved_queries, std::int64_t reserved_nano) {
    return (budget_.queries == 0 || x.spent.queries + reserved_queries < budget_.queries)
           && (budget_nano_ == 0 || x.spent_nano + reserved_nano + nano <= budget_nano_);
  };
  if (!fits(0, 0))
    return {decision::exhausted};
  if (!fits(x.reserved_queries, x.reserved_nano))
    return {decision::wait};
  x.reserved_nano += nano;
  ++x.reserved_queries;
  open_[++last_ticket_] = {session, nano};
  return {decision::granted, last_ticket_};
}

void ledger::settle(ticket id, const spend& actual) {
  if (auto x = close(id)) {
    x->spent += actual;
    x->spent_nano += to_nano(actual.usd);
  }
}

void ledger::release(ticket id) {
  close(id);
}

ledger::account* ledger::close(ticket id) {
  auto node = open_.extract(id);
  if (!node)
    return nullptr;
  auto& x = accounts_[node.mapped().session];
  x.reserved_nano -= node.mapped().nano;
  --x.reserved_queries;
  return &x;
}

spend ledger::spent(const session_id& session) const {
  auto i = accounts_.find(session);
  return i == accounts_.end() ? spend{} : i->second.spent;
}

std::string ledger::describe(const session_id& session) const {
  auto x = spent(session);
  auto queries = budget_.queries == 0 ? fmt::format("{} queries", x.queries)
                                      : fmt::format("{} of {} queries", x.queries, budget_.queries);
  auto usd = budget_.usd == 0 ? fmt::format("${:.4f}", x.usd)
                              : fmt::format("${:.4f} of ${:.2f}", x.usd, budget_.usd);
  return fmt::format("session '{}' has spent {} and {}", session, queries, usd);
}

} // namespace lathe::llm_clients
