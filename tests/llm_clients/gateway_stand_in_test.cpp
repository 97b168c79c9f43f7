#include "tests/llm_clients/gateway_fixture.hpp"

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::HasSubstr;

namespace {

class gateway_with_stand_in : public gateway_fixture {
protected:
  gateway_with_stand_in() {
    options.models.push_back(options.models[0]);
    options.models[1].name = "spare";
    options.models[0].fallback = {"unknown", "spare"};
  }
};

} // namespace

TEST_F(gateway_with_stand_in, who_has_used_up_its_retries_is_stood_in_for) {
  start_with_journal();
  give(0, (ask(8), answer("there"))); // so that the server was reached
  auto x = ask(1);
  for (std::size_t i = 1; i < 4; ++i) {
    give(i, failed(failure_kind::retry, "the server is busy"));
    wait(4s);
  }
  ASSERT_EQ(asked.size(), 5u);
  give(4, answer("from the spare one"));
  EXPECT_EQ(text(x), "from the spare one");
  EXPECT_THAT(written.back().records.at(0).payload, HasSubstr(R"("model":"spare")"));
}

TEST_F(gateway_with_stand_in, who_has_used_up_its_budget_is_stood_in_for) {
  options.models[0].budget.usd = 0.12;
  topology plan;
  plan.models = options.models;
  options.limits = spending_limits{plan};
  start_with_journal();
  ask(1);
  give(0, answer("dear", 0.05));
  auto x = ask(2);
  EXPECT_EQ(asked.size(), 2u);
  EXPECT_THAT(written.back().records.at(0).payload, HasSubstr("\"model\":\"spare\""));
  give(1, answer("cheap"));
  EXPECT_EQ(text(x), "cheap");
}

TEST_F(gateway_with_stand_in, who_is_not_there_is_stood_in_for_at_once_from_then_on) {
  start();
  auto first = ask(1);
  auto nobody = failed(failure_kind::retry, "nobody listens at :9");
  nobody.unreached = true;
  for (std::size_t i = 0; i < 3; ++i) {
    give(i, nobody);
    wait(4s);
  }
  auto second = ask(2);
  ASSERT_EQ(asked.size(), 5u);
  give(3, answer("one"));
  give(4, answer("two"));
  EXPECT_EQ(text(first), "one");
  EXPECT_EQ(text(second), "two");
}

TEST_F(gateway_with_stand_in, who_refuses_a_question_is_stood_in_for) {
  start();
  auto x = ask(1);
  give(0, failed(failure_kind::refuse, "too long"));
  give(1, failed(failure_kind::refuse, "too long for me as well"));
  EXPECT_EQ(text(x), "too long for me as well");
}

TEST_F(gateway_with_stand_in, a_refusal_may_be_final) {
  start();
  auto x = ask(1);
  auto refusal = failed(failure_kind::refuse, "so it was recorded");
  refusal.is_final = true;
  give(0, refusal);
  EXPECT_EQ(error(x), errc::provider_failed);
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(gateway_with_stand_in, a_wrong_key_is_no_reason_to_ask_another) {
  start();
  auto x = ask(1);
  give(0, failed(failure_kind::fail, "the key is wrong"));
  EXPECT_EQ(error(x), errc::provider_refused);
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(gateway_with_stand_in, a_model_that_is_left_alone_is_stood_in_for) {
  options.breaker = {1, 10s, 60s};
  start();
  auto x = ask(1);
  auto down = failed(failure_kind::retry, "the server has a problem");
  down.status = 503;
  give(0, down);
  auto second = ask(2);
  ASSERT_EQ(asked.size(), 2u) << "at once";
  give(1, answer("two"));
  EXPECT_EQ(text(second), "two");
}

TEST_F(gateway_with_stand_in, who_waits_for_a_model_that_is_left_alone_is_turned_to_another) {
  options.breaker = {1, 10s, 60s};
  options.models[0].in_flight = 1;
  start();
  ask(1);
  auto waiting = ask(2);
  EXPECT_EQ(asked.size(), 1u);
  auto down = failed(failure_kind::retry, "the server has a problem");
  down.status = 503;
  give(0, down);
  ASSERT_EQ(asked.size(), 2u);
  give(1, answer("two"));
  EXPECT_EQ(text(waiting), "two");
}
