#include "tests/llm_clients/gateway_fixture.hpp"

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

using gateway_with_failures = gateway_fixture;

} // namespace

// -- attempts ---------------------------------------------------------------------------------

TEST_F(gateway_with_failures, what_can_be_retried_is_retried_after_a_wait) {
  start();
  auto x = ask(1);
  give(0, failed(failure_kind::retry, "busy"));
  EXPECT_EQ(asked.size(), 1u);
  wait(1s);
  ASSERT_EQ(asked.size(), 2u);
  give(1, failed(failure_kind::retry, "busy"));
  wait(2s);
  ASSERT_EQ(asked.size(), 3u);
  give(2, answer("one"));
  EXPECT_EQ(text(x), "one");
}

TEST_F(gateway_with_failures, somebody_else_may_say_when_it_is_tried_again) {
  std::function<void()> again;
  options.retries_when = [&](const llm_request& x, std::function<void()> f) {
    EXPECT_EQ(x.request, 1u);
    again = std::move(f);
  };
  start();
  auto result = ask(1);
  give(0, failed(failure_kind::retry, "busy"));
  wait(300s);
  EXPECT_EQ(asked.size(), 1u);
  ASSERT_TRUE(again);
  again();
  run();
  ASSERT_EQ(asked.size(), 2u);
  give(1, answer("one"));
  EXPECT_EQ(text(result), "one");
}

TEST_F(gateway_with_failures, retries_end) {
  start();
  auto x = ask(1);
  for (std::size_t i = 0; i < 3; ++i) {
    give(i, failed(failure_kind::retry, "the server is busy"));
    wait(4s);
  }
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_EQ(error(x), errc::provider_failed);
  EXPECT_THAT(text(x), HasSubstr("the server is busy; gave up after attempt 3 of 3"));
}

TEST_F(gateway_with_failures, a_call_that_waits_for_another_attempt_holds_no_slot) {
  options.models[0].in_flight = 1;
  start();
  ask(1);
  ask(2);
  give(0, failed(failure_kind::retry, "busy"));
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway_with_failures, a_call_that_waits_for_another_attempt_ends_with_its_model) {
  start();
  auto first = ask(1);
  auto second = ask(2);
  give(0, failed(failure_kind::retry, "busy"));
  give(1, failed(failure_kind::fail, "the key is wrong"));
  wait(1s);
  EXPECT_EQ(error(first), errc::provider_refused);
  EXPECT_EQ(error(second), errc::provider_refused);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway_with_failures, what_a_server_asks_to_wait_is_waited) {
  start();
  ask(1);
  auto busy = failed(failure_kind::retry, "busy");
  busy.retry_after = 30s;
  give(0, busy);
  wait(29s);
  EXPECT_EQ(asked.size(), 1u);
  wait(2s);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway_with_failures, who_asks_to_wait_for_long_is_not_given_up) {
  start();
  patience = 900;
  auto first = ask(1);
  auto tomorrow = failed(failure_kind::retry, "used up for now");
  tomorrow.status = 429;
  tomorrow.retry_after = 1h;
  for (std::size_t i = 0; i < 5; ++i) { // more often than attempts are made
    give(i, tomorrow);
    wait(15min);
    EXPECT_EQ(error(first), errc::overloaded) << "who asks again has lost nothing";
    wait(46min);
    first = ask(1);
    ASSERT_EQ(asked.size(), i + 2);
  }
  give(5, answer("at last"));
  EXPECT_EQ(text(first), "at last");
}

TEST_F(gateway_with_failures, people_hear_once_that_a_server_asks_for_a_long_wait) {
  std::vector<std::string> lines;
  options.warn = [&](const std::string& line) { lines.push_back(line); };
  start();
  auto busy = failed(failure_kind::retry, "the server asks to wait");
  busy.status = 429;
  ask(1);
  ask(2);
  for (std::size_t i : {0, 1}) {
    busy.retry_after = 2h + i * 1s;
    give(i, busy);
  }
  EXPECT_THAT(lines, ElementsAre("the server asks to wait; model 'strong' is asked again in 7200 s"));
  wait(2h + 2s);
  give(2, busy);
  EXPECT_EQ(lines.size(), 2u);
}

// -- servers in trouble -----------------------------------------------------------------------

TEST_F(gateway_with_failures, a_server_that_was_never_there_closes_its_model_when_the_retries_end) {
  start();
  auto first = ask(1);
  auto second = ask(2);
  auto nobody = failed(failure_kind::retry, "nobody listens at :9");
  nobody.unreached = true;
  for (std::size_t i = 0; i < 6; ++i) {
    give(i, nobody);
    wait(4s);
  }
  auto later = ask(3);
  for (const auto& x : {first, second, later}) {
    EXPECT_EQ(error(x), errc::provider_unreachable);
    EXPECT_THAT(text(x), HasSubstr("nobody listens at :9; gave up after attempt 3 of 3"));
  }
  EXPECT_EQ(asked.size(), 6u);
}

TEST_F(gateway_with_failures, a_server_that_was_there_before_may_come_back) {
  start();
  auto early = ask(1);
  give(0, failed(failure_kind::refuse, "too long"));
  auto first = ask(2);
  auto nobody = failed(failure_kind::retry, "nobody listens at :9");
  nobody.unreached = true;
  for (std::size_t i = 1; i < 4; ++i) {
    give(i, nobody);
    wait(4s);
  }
  EXPECT_EQ(error(first), errc::provider_failed);
  auto later = ask(3);
  give(4, answer("back"));
  EXPECT_EQ(text(later), "back");
}

TEST_F(gateway_with_failures, a_server_that_keeps_failing_is_left_alone) {
  options.breaker = {2, 10s, 60s};
  start();
  ask(1);
  ask(2);
  auto down = failed(failure_kind::retry, "the server has a problem");
  down.status = 503;
  give(0, down);
  give(1, down);
  auto later = ask(3);
  wait(4s); // the others' waits are over
  EXPECT_EQ(asked.size(), 2u);
  wait(7s);
  EXPECT_EQ(asked.size(), 3u) << "one finds out";
}

TEST_F(gateway_with_failures,
       models_of_a_server_that_is_not_there_any_more_are_left_alone_together) {
  options.retry.attempts = 100;
  options.models.push_back(options.models[0]);
  options.models[1].name = "spare";
  for (auto& x : options.models)
    x.base_url = "https://api.example/v1";
  start();
  ask(1);
  give(0, answer("it was there"));
  ask(2);
  for (std::size_t i = 1; i <= 5; ++i) {
    give(i, failed(failure_kind::retry, "no connection"));
    wait(1h);
    ask(2 + i);
  }
  auto asked_by_now = asked.size();
  give(asked_by_now - 1, failed(failure_kind::retry, "no connection"));
  ask(100, "hello", "mlp", "spare");
  EXPECT_EQ(asked.size(), asked_by_now);
}

// -- what no attempt mends --------------------------------------------------------------------

TEST_F(gateway_with_failures, a_refused_question_ends_alone) {
  start();
  auto first = ask(1);
  auto second = ask(2);
  give(0, failed(failure_kind::refuse, "too long"));
  EXPECT_EQ(error(first), errc::provider_failed);
  EXPECT_EQ(text(first), "too long");
  give(1, answer("two"));
  EXPECT_EQ(text(second), "two");
}

TEST_F(gateway_with_failures, a_wrong_key_ends_every_question_to_the_model_with_one_sentence) {
  options.models[0].in_flight = 1;
  start();
  auto first = ask(1);
  auto waiting = ask(2);
  give(0, failed(failure_kind::fail, "the key is wrong"));
  auto later = ask(3);
  for (const auto& x : {first, waiting, later}) {
    EXPECT_EQ(error(x), errc::provider_refused);
    EXPECT_EQ(text(x), "the key is wrong");
  }
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(gateway_with_failures, a_provider_that_cannot_be_made_refuses_with_its_sentence) {
  options.providers = [](const model_config&) -> caf::expected<std::unique_ptr<provider>> {
    return make_error(errc::user_error, "no such folder");
  };
  start();
  auto x = ask(1);
  EXPECT_EQ(error(x), errc::provider_refused);
  EXPECT_EQ(text(x), "no such folder");
}

TEST_F(gateway_with_failures, a_provider_that_throws_or_drops_the_question_leaves_nobody_waiting) {
  start();
  auto thrown = ask(1, "throw");
  auto dropped = ask(2, "drop");
  wait(1s);
  wait(2s);
  EXPECT_EQ(error(thrown), errc::provider_failed);
  EXPECT_EQ(error(dropped), errc::provider_failed);
  EXPECT_THAT(text(dropped), HasSubstr("dropped the question"));
}
