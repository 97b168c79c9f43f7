#include "llm_clients/ledger.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

using namespace lathe;
using llm_clients::ledger;
using decision = llm_clients::ledger::decision;

namespace {

budget_config budget(std::int64_t queries, double usd) {
  return {queries, usd, 0};
}

spend cost(double usd) {
  return {1, 100, 0, 10, usd};
}

} // namespace

TEST(ledger, what_is_reserved_cannot_be_spent_twice) {
  ledger x{budget(0, 1.0)};
  auto first = x.reserve("mlp", 0.6);
  EXPECT_EQ(first.decision, decision::granted);
  EXPECT_EQ(x.reserve("mlp", 0.6).decision, decision::wait);
  x.settle(first.ticket, cost(0.3));
  EXPECT_EQ(x.reserve("mlp", 0.6).decision, decision::granted);
}

TEST(ledger, what_can_never_fit_again_is_exhausted) {
  ledger x{budget(0, 1.0)};
  x.settle(x.reserve("mlp", 0.6).ticket, cost(0.5));
  EXPECT_EQ(x.reserve("mlp", 0.6).decision, decision::exhausted);
  EXPECT_EQ(x.reserve("mlp", 0.5).decision, decision::granted);
}

TEST(ledger, a_released_reservation_costs_nothing) {
  ledger x{budget(1, 1.0)};
  x.release(x.reserve("mlp", 1.0).ticket);
  EXPECT_EQ(x.reserve("mlp", 1.0).decision, decision::granted);
  EXPECT_EQ(x.spent("mlp").queries, 0);
}

TEST(ledger, queries_are_a_budget_of_their_own) {
  ledger x{budget(2, 0)};
  auto first = x.reserve("mlp", 100);
  x.reserve("mlp", 100);
  EXPECT_EQ(x.reserve("mlp", 0).decision, decision::wait);
  x.settle(first.ticket, cost(100));
  EXPECT_EQ(x.reserve("mlp", 0).decision, decision::wait);
}

TEST(ledger, sessions_do_not_share_a_budget) {
  ledger x{budget(1, 0)};
  x.settle(x.reserve("mlp", 0).ticket, cost(0));
  EXPECT_EQ(x.reserve("mlp", 0).decision, decision::exhausted);
  EXPECT_EQ(x.reserve("scan", 0).decision, decision::granted);
}

TEST(ledger, an_earlier_run_counts) {
  ledger x{budget(3, 1.0)};
  x.seed("mlp", {2, 0, 0, 0, 0.9});
  EXPECT_EQ(x.reserve("mlp", 0.2).decision, decision::exhausted);
  EXPECT_EQ(x.reserve("mlp", 0.1).decision, decision::granted);
  EXPECT_EQ(x.spent("mlp").queries, 2);
}

TEST(ledger, tenths_add_up_to_the_whole_budget) {
  ledger x{budget(0, 1.0)};
  for (int i = 0; i < 10; ++i) {
    auto grant = x.reserve("mlp", 0.1);
    ASSERT_EQ(grant.decision, decision::granted) << i;
    x.settle(grant.ticket, cost(0.1));
  }
  EXPECT_EQ(x.reserve("mlp", 0.000001).decision, decision::exhausted);
}

TEST(ledger, a_ticket_ends_once) {
  ledger x{budget(0, 1.0)};
  auto grant = x.reserve("mlp", 0.5);
  x.settle(grant.ticket, cost(0.5));
  x.settle(grant.ticket, cost(0.5));
  x.release(grant.ticket);
  EXPECT_DOUBLE_EQ(x.spent("mlp").usd, 0.5);
  EXPECT_EQ(x.reserve("mlp", 0.5).decision, decision::granted);
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
      auto worst = 0.001 + 0.03 * unit();
      auto grant =
        out.size() < 64 && !exhausted ? x.reserve("mlp", worst) : ledger::grant{decision::wait};
      exhausted = exhausted || grant.decision == decision::exhausted;
      if (grant.decision == decision::granted) {
        out.emplace_back(grant.ticket, worst);
      } else if (!out.empty()) {
        std::swap(out[random() % out.size()], out.back());
        auto [ticket, most] = out.back();
        out.pop_back();
        unit() < 0.1 ? x.release(ticket) : x.settle(ticket, cost(most * unit()));
      }
      ASSERT_LE(x.spent("mlp").usd, 1.0) << seed;
    }
    EXPECT_GE(x.spent("mlp").usd, 0.95) << seed;
  }
}
