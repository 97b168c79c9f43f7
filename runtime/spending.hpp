#pragma once

#include "llm_clients/exchange.hpp"
#include "messages/llm.hpp"
#include "messages/topology.hpp"
#include "runtime/progress.hpp"
#include "runtime/session_result.hpp"

#include <boost/json/array.hpp>

#include <optional>
#include <string>
#include <vector>

// What a run's models cost, for people. Pure.

namespace lathe::runtime {

/// Returns what a journal says was spent. Calls whose ends it does not know count as reserved.
std::vector<account_status> accounts_of(const llm_clients::earlier_run& run);

/// Returns what an account holds; nothing where nobody has spent anything.
account_status account_of(const std::vector<account_status>& accounts, const payer& who);

/// Puts into `x` what its models cost, calls that brought no answer included, which the session
/// itself does not know of.
void bill(session_status& x, const std::vector<account_status>& accounts);

/// Returns what the run will have cost at its end [USD], if it goes on as it did so far, within its
/// budgets. Nothing while there is too little to judge by, or nothing to go by.
std::optional<double> forecast(const progress_view& view);

/// Returns a line such as "spent $0.42, $0.08 more under way, about $3.10 at the end"; empty where
/// nothing costs anything.
std::string format_spending(const progress_view& view);

/// Returns a Markdown table of what each agent and each model of the run spent; empty where nobody
/// was asked.
std::string format_spending_table(const std::vector<account_status>& accounts);

/// Returns an object for each account.
boost::json::array spending_json(const std::vector<account_status>& accounts);

} // namespace lathe::runtime
