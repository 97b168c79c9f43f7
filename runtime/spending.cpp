#include "runtime/spending.hpp"

#include "llm_clients/ledger.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace lathe::runtime {

namespace {

constexpr double too_little = 0.05; // of a budget, to judge the rest by

// How much of its work a session has done, by the budget that ends it first; 0 without one. Money
// is no measure of work here: it is what is asked for.
double share_done(const session_status& x, const progress_view& view) {
  auto of = [](double used, double budget) { return budget > 0 ? used / budget : 0.0; };
  auto tokens = static_cast<double>(x.cost.input_tokens + x.cost.output_tokens);
  const auto& budget = view.budget;
  return std::max({of(static_cast<double>(x.cost.queries), static_cast<double>(budget.queries)),
                   of(tokens, static_cast<double>(budget.tokens)), of(view.elapsed, budget.wall)});
}

// Of one session.
std::optional<double> forecast(const session_status& x, const progress_view& view) {
  if (x.finished)
    return x.cost.usd;
  auto most = view.budget.usd;
  auto share = std::min(share_done(x, view), 1.0);
  if (share == 0 && most > 0)
    return most; // money is all that ends it
  if (share < too_little)
    return std::nullopt;
  auto result = x.cost.usd / share;
  return most > 0 ? std::min(result, most) : result;
}

} // namespace

std::vector<account_status> accounts_of(const llm_clients::earlier_run& run) {
  llm_clients::ledger book{{}};
  for (const auto& [who, spent] : run.spent)
    book.seed(who, spent);
  for (const auto& [question, x] : run.open)
    book.reserve(x.who, x.worst);
  return book.accounts();
}

account_status account_of(const std::vector<account_status>& accounts, const payer& who) {
  auto i = std::find_if(accounts.begin(), accounts.end(),
                        [&](const account_status& x) { return x.who == who; });
  return i == accounts.end() ? account_status{who, {}, 0} : *i;
}

void bill(session_status& x, const std::vector<account_status>& accounts) {
  auto queries = x.cost.queries; // those under way count
  auto account = account_of(accounts, {x.name, {}, {}});
  if (account.spent.usd >= x.cost.usd)
    x.cost = account.spent;
  x.cost.queries = std::max(queries, account.spent.queries);
}

std::optional<double> forecast(const progress_view& view) {
  if (view.sessions.empty())
    return std::nullopt;
  double sum = 0;
  for (const auto& x : view.sessions) {
    auto each = forecast(x, view);
    if (!each)
      return std::nullopt;
    sum += *each;
  }
  const auto& run = view.budget.run;
  return run.usd > 0 ? std::min(sum, run.usd) : sum;
}

std::string format_spending(const progress_view& view) {
  auto all = account_of(view.accounts, {});
  if (all.spent.usd == 0 && all.reserved_usd == 0)
    return {};
  auto result = fmt::format("spent ${:.2f}", all.spent.usd);
  if (all.reserved_usd > 0)
    result += fmt::format(", at most ${:.2f} more under way", all.reserved_usd);
  auto goes_on = std::any_of(view.sessions.begin(), view.sessions.end(),
                             [](const session_status& x) { return !x.finished; });
  if (auto end = forecast(view); end && goes_on)
    result += fmt::format(", about ${:.2f} at the end", std::max(*end, all.spent.usd));
  return result;
}

std::string format_spending_table(const std::vector<account_status>& accounts) {
  std::string rows;
  for (const auto& x : accounts) {
    auto name = x.who.agent.empty() ? "model " + x.who.model : "agent " + x.who.agent;
    auto is_total = x.who.agent.empty() && x.who.model.empty();
    if (!x.who.session.empty() || is_total)
      continue;
    rows += fmt::format("| {} | {} | {} | {} | {} | {} | {:.4f} |\n", name, x.spent.queries,
                        x.spent.input_tokens, x.spent.cached_input_tokens, x.spent.output_tokens,
                        x.spent.reasoning_tokens, x.spent.usd);
  }
  if (rows.empty())
    return {};
  return "| spent by | queries | tokens in | of them cached | tokens out | of them thought | USD "
         "|\n"
         "|---|---|---|---|---|---|---|\n"
         + rows + "\n";
}

boost::json::array spending_json(const std::vector<account_status>& accounts) {
  boost::json::array result;
  for (const auto& x : accounts)
    result.push_back({{"task", x.who.session},
                      {"agent", x.who.agent},
                      {"model", x.who.model},
                      {"queries", x.spent.queries},
                      {"input_tokens", x.spent.input_tokens},
                      {"cached_input_tokens", x.spent.cached_input_tokens},
                      {"output_tokens", x.spent.output_tokens},
                      {"reasoning_tokens", x.spent.reasoning_tokens},
                      {"usd", x.spent.usd},
                      {"reserved_usd", x.reserved_usd}});
  return result;
}

} // namespace lathe::runtime
