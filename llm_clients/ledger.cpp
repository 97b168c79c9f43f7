#include "llm_clients/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lathe::llm_clients {

namespace {

constexpr double slack = 1e-6; // of a billionth: what binary fractions add to an exact price

// More than any budget: servers and recordings may claim what they like.
constexpr std::int64_t largest = 1'000'000'000'000'000'000;

// Rounded up, so that a sum of parts never falls below the whole.
std::int64_t to_nano(double usd) {
  auto result = std::ceil(usd * 1e9 - slack);
  return result > 0 ? static_cast<std::int64_t>(std::min(result, static_cast<double>(largest))) : 0;
}

std::int64_t sum(std::int64_t x, std::int64_t y) {
  return std::min(x + y, largest);
}

// Everybody on whom a call counts.
std::vector<payer> shared_by(const payer& x) {
  std::vector<payer> result{{x.session, {}, {}}, {{}, {}, {}}};
  for (const auto& session : {x.session, session_id{}}) {
    if (!x.agent.empty())
      result.push_back({session, x.agent, {}});
    if (!x.model.empty())
      result.push_back({session, {}, x.model});
  }
  return result;
}

std::string name_of(const payer& x) {
  std::string result;
  if (!x.agent.empty())
    result = fmt::format("agent '{}'", x.agent);
  else if (!x.model.empty())
    result = fmt::format("model '{}'", x.model);
  if (x.session.empty())
    return result.empty() ? "the run" : result + " in the whole run";
  auto session = fmt::format("task '{}'", x.session);
  return result.empty() ? session : fmt::format("{} in {}", result, session);
}

} // namespace

// -- limits -------------------------------------------------------------------------------

spending_limits::spending_limits(const topology& plan) : spending_limits(plan.budget) {
  for (const auto& x : plan.agents)
    add(x.name, {}, x.budget, x.run_budget);
  for (const auto& x : plan.models)
    add({}, x.name, x.budget, x.run_budget);
}

spending_limits::spending_limits(const budget_config& budget) {
  add({}, {}, budget.task(), budget.run);
}

void spending_limits::add(const std::string& agent, const std::string& model,
                          const spend_limit& session, const spend_limit& run) {
  if (session.limits() || run.limits())
    limits_[{agent, model}] = {session, run};
}

const spend_limit* spending_limits::find(const payer& who) const {
  auto i = limits_.find({who.agent, who.model});
  if (i == limits_.end())
    return nullptr;
  const auto& result = who.session.empty() ? i->second.run : i->second.session;
  return result.limits() ? &result : nullptr;
}

// -- amounts ------------------------------------------------------------------------------

ledger::amount& ledger::amount::operator+=(const amount& x) {
  queries = sum(queries, x.queries);
  tokens = sum(tokens, x.tokens);
  nano = sum(nano, x.nano);
  return *this;
}

ledger::amount& ledger::amount::operator-=(const amount& x) {
  queries -= x.queries;
  tokens -= x.tokens;
  nano -= x.nano;
  return *this;
}

bool ledger::amount::fits(const amount& more, const spend_limit& limit) const {
  auto budget = static_cast<std::int64_t>(std::floor(limit.usd * 1e9 + slack));
  return (limit.queries == 0 || queries + more.queries <= limit.queries)
         && (limit.tokens == 0 || tokens + more.tokens <= limit.tokens)
         && (limit.usd == 0 || nano + more.nano <= budget);
}

ledger::amount ledger::amount_of(const spend& x) {
  return {x.queries, sum(x.input_tokens, x.output_tokens), to_nano(x.usd)};
}

// -- reservations -------------------------------------------------------------------------

ledger::ledger(spending_limits limits) : limits_(std::move(limits)) {
  // nop
}

void ledger::change(spending_limits limits) {
  limits_ = std::move(limits);
}

void ledger::seed(const payer& who, const spend& spent) {
  for (const auto& each : shared_by(who)) {
    auto& account = accounts_[each];
    account.spend += spent;
    account.spent += amount_of(spent);
  }
}

ledger::grant ledger::reserve(const payer& who, const spend& worst) {
  auto most = amount_of(worst);
  most.queries = 1;
  auto everybody = shared_by(who);
  const payer* must_wait_for = nullptr;
  for (const auto& each : everybody) {
    const auto* limit = limits_.find(each);
    if (limit == nullptr)
      continue;
    auto taken = accounts_[each].spent;
    if (!taken.fits(most, *limit))
      return {decision::exhausted, 0, each, describe(each, *limit, worst)};
    taken += accounts_[each].reserved;
    if (must_wait_for == nullptr && !taken.fits(most, *limit))
      must_wait_for = &each;
  }
  if (must_wait_for != nullptr)
    return {decision::wait, 0, *must_wait_for};
  for (const auto& each : everybody)
    accounts_[each].reserved += most;
  open_[++last_ticket_] = {who, most};
  return {decision::granted, last_ticket_};
}

void ledger::settle(ticket id, const spend& actual) {
  auto node = open_.extract(id);
  if (!node)
    return;
  const auto& [who, most] = node.mapped();
  for (const auto& each : shared_by(who))
    accounts_[each].reserved -= most;
  seed(who, actual);
}

// -- properties -----------------------------------------------------------------------------

spend ledger::spent(const payer& who) const {
  auto i = accounts_.find(who);
  return i == accounts_.end() ? spend{} : i->second.spend;
}

std::vector<account_status> ledger::accounts() const {
  std::vector<account_status> result;
  for (const auto& [who, x] : accounts_)
    result.push_back({who, x.spend, static_cast<double>(x.reserved.nano) * 1e-9});
  return result;
}

std::string ledger::describe(const payer& who, const spend_limit& limit, const spend& worst) const {
  auto x = spent(who);
  auto tokens = x.input_tokens + x.output_tokens;
  auto of = [](std::int64_t count, std::int64_t most, std::string_view what) {
    return most == 0 ? fmt::format("{} {}", count, what)
                     : fmt::format("{} of {} {}", count, most, what);
  };
  auto usd = limit.usd == 0 ? fmt::format("${:.4f}", x.usd)
                            : fmt::format("${:.4f} of ${:.2f}", x.usd, limit.usd);
  auto most = limit.usd == 0 ? std::string{} : fmt::format(", which may cost ${:.4f},", worst.usd);
  return fmt::format("{} has spent {}, {} and {}; another call{} does not fit", name_of(who),
                     of(x.queries, limit.queries, "queries"), of(tokens, limit.tokens, "tokens"),
                     usd, most);
}

} // namespace lathe::llm_clients
