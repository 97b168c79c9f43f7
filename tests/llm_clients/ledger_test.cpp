#include "llm_clients/ledger.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <random>
#include <vector>

using namespace lathe;
using llm_clients::ledger;
using llm_clients::spending_limits;
using testing::HasSubstr;
using decision = llm_clients::ledger::decision;

namespace {

spending_limits budget(std::int64_t queries, double usd) {
  return spending_limits{budget_config{queries, usd, 0}};
}

payer by(session_id session, std::string agent = "coder", std::string model = "strong") {
  return {std::move(session), std::move(agent), std::move(model)};
}

// The most that a call may take.
spend worst(double usd, std::int64_t tokens = 0) {
  spend result;
  result.input_tokens = tokens;
  result.usd = usd;
  return result;
}

spend cost(double usd) {
  return {1, 100, 0, 10, usd};
}

} // namespace

TEST(ledger, what_is_reserved_cannot_be_spent_twice) {
  ledger x{budget(0, 1.0)};
  auto first = x.reserve(by("mlp"), worst(0.6));
  EXPECT_EQ(first.decision, decision::granted);
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.6)).decision, decision::wait);
  x.settle(first.ticket, cost(0.3));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.6)).decision, decision::granted);
}

TEST(ledger, what_can_never_fit_again_is_exhausted) {
  ledger x{budget(0, 1.0)};
  x.settle(x.reserve(by("mlp"), worst(0.6)).ticket, cost(0.5));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.6)).decision, decision::exhausted);
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.5)).decision, decision::granted);
}

TEST(ledger, a_released_reservation_costs_nothing) {
  ledger x{budget(1, 1.0)};
  x.settle(x.reserve(by("mlp"), worst(1.0)).ticket, {});
  EXPECT_EQ(x.reserve(by("mlp"), worst(1.0)).decision, decision::granted);
  EXPECT_EQ(x.spent({"mlp", {}, {}}).queries, 0);
}

TEST(ledger, queries_are_a_budget_of_their_own) {
  ledger x{budget(2, 0)};
  auto first = x.reserve(by("mlp"), worst(100));
  x.reserve(by("mlp"), worst(100));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0)).decision, decision::wait);
  x.settle(first.ticket, cost(100));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0)).decision, decision::wait);
}

TEST(ledger, sessions_do_not_share_a_budget) {
  ledger x{budget(1, 0)};
  x.settle(x.reserve(by("mlp"), worst(0)).ticket, cost(0));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0)).decision, decision::exhausted);
  EXPECT_EQ(x.reserve(by("scan"), worst(0)).decision, decision::granted);
}

TEST(ledger, an_earlier_run_counts) {
  ledger x{budget(3, 1.0)};
  x.seed(by("mlp"), {2, 0, 0, 0, 0.9});
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.2)).decision, decision::exhausted);
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.1)).decision, decision::granted);
  EXPECT_EQ(x.spent({"mlp", {}, {}}).queries, 2);
}

TEST(ledger, tenths_add_up_to_the_whole_budget) {
  ledger x{budget(0, 1.0)};
  for (int i = 0; i < 10; ++i) {
    auto grant = x.reserve(by("mlp"), worst(0.1));
    ASSERT_EQ(grant.decision, decision::granted) << i;
    x.settle(grant.ticket, cost(0.1));
  }
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.000001)).decision, decision::exhausted);
}

TEST(ledger, a_ticket_ends_once) {
  ledger x{budget(0, 1.0)};
  auto grant = x.reserve(by("mlp"), worst(0.5));
  x.settle(grant.ticket, cost(0.5));
  x.settle(grant.ticket, cost(0.5));
  x.settle(grant.ticket, {});
  EXPECT_DOUBLE_EQ(x.spent({"mlp", {}, {}}).usd, 0.5);
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.5)).decision, decision::granted);
}

// -- whose budget it is -----------------------------------------------------------------------

TEST(ledger, all_sessions_share_the_budget_of_the_run) {
  budget_config config;
  config.run.usd = 1.0;
  ledger x{spending_limits{config}};
  x.settle(x.reserve(by("mlp"), worst(0.6)).ticket, cost(0.6));
  auto grant = x.reserve(by("scan"), worst(0.6));
  EXPECT_EQ(grant.decision, decision::exhausted);
  EXPECT_EQ(grant.full, (payer{}));
  EXPECT_THAT(grant.why, HasSubstr("the run has spent 1 queries, 110 tokens and $0.6000 of $1.00"));
}

TEST(ledger, agents_and_models_have_budgets_of_their_own) {
  topology plan;
  plan.agents.resize(1);
  plan.agents[0].name = "planner";
  plan.agents[0].budget.queries = 1;
  plan.models.resize(1);
  plan.models[0].name = "strong";
  plan.models[0].run_budget.usd = 1.0;
  ledger x{spending_limits{plan}};
  x.settle(x.reserve(by("mlp", "planner"), worst(0.5)).ticket, cost(0.5));
  EXPECT_EQ(x.reserve(by("mlp", "planner"), worst(0.1)).full, (payer{"mlp", "planner", {}}));
  EXPECT_EQ(x.reserve(by("scan", "planner"), worst(0.1)).decision, decision::granted);
  auto grant = x.reserve(by("mlp", "coder"), worst(0.6));
  EXPECT_EQ(grant.full, (payer{{}, {}, "strong"}));
  EXPECT_THAT(grant.why, HasSubstr("model 'strong' in the whole run has spent"));
  EXPECT_EQ(x.reserve(by("mlp", "coder", "cheap"), worst(0.6)).decision, decision::granted);
}

TEST(ledger, tokens_are_reserved_at_their_most) {
  budget_config config;
  config.tokens = 1'000;
  ledger x{spending_limits{config}};
  auto first = x.reserve(by("mlp"), worst(0, 600));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0, 600)).decision, decision::wait);
  x.settle(first.ticket, cost(0)); // 110 tokens
  EXPECT_EQ(x.reserve(by("mlp"), worst(0, 891)).decision, decision::exhausted);
  EXPECT_EQ(x.reserve(by("mlp"), worst(0, 890)).decision, decision::granted);
}

TEST(ledger, a_raised_budget_goes_on_from_what_was_spent) {
  ledger x{budget(0, 1.0)};
  x.settle(x.reserve(by("mlp"), worst(0.9)).ticket, cost(0.9));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.5)).decision, decision::exhausted);
  x.change(budget(0, 2.0));
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.5)).decision, decision::granted);
  EXPECT_EQ(x.reserve(by("mlp"), worst(0.7)).decision, decision::wait);
}

TEST(ledger, whoever_reports_absurd_costs_has_used_his_budget_up) {
  for (auto usd : {1e10, 1e300, std::numeric_limits<double>::infinity()}) {
    ledger x{budget(0, 1.0)};
    for (int i = 0; i < 20; ++i)
      x.seed(by("mlp"), spend{1, 1'000'000'000'000'000, 0, 1'000'000'000'000'000, usd});
    EXPECT_EQ(x.reserve(by("mlp"), worst(0.1)).decision, decision::exhausted) << usd;
  }
}

TEST(ledger, nobody_earns_money) {
  for (auto usd : {-1e10, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    ledger x{budget(0, 1.0)};
    x.settle(x.reserve(by("mlp"), worst(0.6)).ticket, cost(0.6));
    x.seed(by("mlp"), cost(usd));
    EXPECT_EQ(x.reserve(by("mlp"), worst(0.6)).decision, decision::exhausted) << usd;
  }
}

TEST(ledger, who_has_spent_what_can_be_listed) {
  ledger x{budget(0, 0)};
  x.settle(x.reserve(by("mlp"), worst(0.5)).ticket, cost(0.25));
  x.reserve(by("mlp", "fixer"), worst(0.5));
  std::map<payer, std::pair<double, double>> seen;
  for (const auto& each : x.accounts())
    seen[each.who] = {each.spent.usd, each.reserved_usd};
  EXPECT_EQ(seen[payer{}], std::pair(0.25, 0.5));
  EXPECT_EQ((seen[{"mlp", "coder", {}}]), std::pair(0.25, 0.0));
  EXPECT_EQ((seen[{"mlp", {}, "strong"}]), std::pair(0.25, 0.5));
}

// Sixty-four callers with random costs in random order: never above the budget, and nearly all of
// it used.
TEST(ledger, no_interleaving_exceeds_the_budget) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random{seed};
    auto unit = [&] { return std::uniform_real_distribution<>{}(random); };
    ledger x{budget(0, 1.0)};
    std::vector<std::pair<ledger::ticket, double>> out;
    auto exhausted = false;
    while (!exhausted || !out.empty()) {
      auto most = 0.001 + 0.03 * unit();
      auto grant = out.size() < 64 && !exhausted ? x.reserve(by("mlp"), worst(most))
                                                 : ledger::grant{decision::wait};
      exhausted = exhausted || grant.decision == decision::exhausted;
      if (grant.decision == decision::granted) {
        out.emplace_back(grant.ticket, most);
      } else if (!out.empty()) {
        std::swap(out[random() % out.size()], out.back());
        auto [ticket, bound] = out.back();
        out.pop_back();
        x.settle(ticket, unit() < 0.1 ? spend{} : cost(bound * unit()));
      }
      ASSERT_LE(x.spent({"mlp", {}, {}}).usd, 1.0) << seed;
    }
    EXPECT_GE(x.spent({"mlp", {}, {}}).usd, 0.95) << seed;
  }
}
