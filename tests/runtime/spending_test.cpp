#include "runtime/spending.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::HasSubstr;
using testing::Not;

namespace {

session_status session(std::string name, std::int64_t queries, double usd, bool finished = false) {
  session_status result;
  result.name = std::move(name);
  result.cost.queries = queries;
  result.cost.usd = usd;
  result.finished = finished;
  return result;
}

spend cost(double usd, std::int64_t queries = 1) {
  return {queries, 100, 0, 10, usd};
}

progress_view view_of(std::vector<session_status> sessions, budget_config budget) {
  progress_view result;
  result.sessions = std::move(sessions);
  result.budget = budget;
  return result;
}

} // namespace

TEST(spending, calls_whose_ends_are_not_known_are_reserved) {
  llm_clients::earlier_run run;
  run.spent[{"mlp", "coder", "strong"}] = cost(0.25);
  run.open[{"mlp", 7, "abc"}] = {{"mlp", "coder", "strong"}, cost(0.5, 0)};
  auto accounts = accounts_of(run);
  EXPECT_DOUBLE_EQ(account_of(accounts, {}).spent.usd, 0.25);
  EXPECT_DOUBLE_EQ(account_of(accounts, {"mlp", {}, {}}).reserved_usd, 0.5);
  EXPECT_EQ(account_of(accounts, {"scan", {}, {}}).spent.queries, 0);
}

TEST(spending, a_session_is_billed_for_what_it_got_no_answer_to) {
  auto x = session("mlp", 3, 0.25);
  std::vector<account_status> accounts{{{"mlp", {}, {}}, cost(0.75, 2), 0}};
  bill(x, accounts);
  EXPECT_EQ(x.cost.usd, 0.75);
  EXPECT_EQ(x.cost.queries, 3) << "one is under way";
  bill(x, {});
  EXPECT_EQ(x.cost.usd, 0.75) << "a gateway that does not answer is no reason to forget";
}

TEST(spending, the_forecast_goes_by_the_work_that_is_done) {
  budget_config budget{20, 0, 0};
  EXPECT_DOUBLE_EQ(*forecast(view_of({session("a", 5, 1.0)}, budget)), 4.0);
  EXPECT_DOUBLE_EQ(*forecast(view_of({session("a", 5, 1.0), session("b", 7, 2.5, true)}, budget)),
                   6.5);
  EXPECT_FALSE(forecast(view_of({session("a", 0, 0)}, budget))) << "too early";
}

TEST(spending, the_forecast_stays_within_budgets) {
  budget_config budget{20, 3.0, 0};
  EXPECT_DOUBLE_EQ(*forecast(view_of({session("a", 5, 1.0)}, budget)), 3.0);
  budget.run.usd = 5;
  EXPECT_DOUBLE_EQ(*forecast(view_of({session("a", 5, 1.0), session("b", 5, 1.0)}, budget)), 5.0);
  budget.queries = 0;
  EXPECT_DOUBLE_EQ(*forecast(view_of({session("a", 5, 1.0)}, budget)), 3.0)
    << "money alone ends it, so it is used up";
}

TEST(spending, the_line_says_what_is_known) {
  auto view = view_of({session("a", 5, 1.0)}, {20, 0, 0});
  EXPECT_EQ(format_spending(view), "") << "nothing costs anything";
  view.accounts = {{{}, cost(1.0, 5), 0.125}};
  EXPECT_EQ(format_spending(view), "spent $1.00, at most $0.12 more under way, about $4.00 at the "
                                   "end");
  view.sessions[0].finished = true;
  view.accounts[0].reserved_usd = 0;
  EXPECT_EQ(format_spending(view), "spent $1.00");
}

TEST(spending, the_table_has_agents_and_models_of_the_run) {
  std::vector<account_status> accounts{{{}, cost(1.0), 0},
                                       {{{}, "coder", {}}, cost(0.75), 0},
                                       {{{}, {}, "strong"}, cost(1.0), 0},
                                       {{"mlp", "fixer", {}}, cost(0.25), 0}};
  auto table = format_spending_table(accounts);
  EXPECT_THAT(table, HasSubstr("| agent coder | 1 | 100 | 0 | 10 | 0 | 0.7500 |"));
  EXPECT_THAT(table, HasSubstr("| model strong |"));
  EXPECT_THAT(table, Not(HasSubstr("fixer")));
  EXPECT_EQ(format_spending_table({}), "");
}
