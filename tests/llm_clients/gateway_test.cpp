#include "messages/content_hash.hpp"
#include "tests/llm_clients/gateway_fixture.hpp"

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

using gateway = gateway_fixture;

} // namespace

TEST_F(gateway, an_answer_comes_back_to_who_asked) {
  start();
  auto first = ask(1);
  auto second = ask(2);
  give(1, answer("two"));
  EXPECT_EQ(text(first), "nothing yet");
  give(0, answer("one"));
  EXPECT_EQ(text(first), "one");
  EXPECT_EQ(text(second), "two");
  EXPECT_FALSE((**second)->recorded);
}

TEST_F(gateway, a_model_that_is_not_in_the_topology_is_named) {
  start();
  auto x = ask(1, "hello", "mlp", "stronk");
  EXPECT_EQ(error(x), errc::user_error);
  EXPECT_THAT(text(x), HasSubstr("'stronk'"));
}

// -- the journal ------------------------------------------------------------------------------

TEST_F(gateway, an_answer_is_in_the_journal_before_it_is_delivered) {
  start_with_journal();
  auto x = ask(7);
  hold_journal = true;
  give(0, answer("one"));
  ASSERT_THAT(kinds(), ElementsAre(reserved_kind, exchange_kind));
  EXPECT_EQ(text(x), "nothing yet");
  EXPECT_EQ(written[1].records.at(0).session, "mlp");
  EXPECT_EQ(written[1].contents.at(0).text, "\n\nhello");
  EXPECT_EQ(written[1].contents.at(1).text, "one");
  answer_journal();
  EXPECT_EQ(text(x), "one");
}

TEST_F(gateway, an_answer_that_cannot_be_journaled_is_an_error) {
  start_with_journal();
  auto x = ask(1);
  journal_problem = make_error(errc::journal_failed, "disk full");
  give(0, answer("one"));
  EXPECT_EQ(error(x), errc::journal_failed);
  EXPECT_THAT(text(x), HasSubstr("disk full"));
}

TEST_F(gateway, money_that_may_be_lost_is_journaled_and_counts) {
  options.limits = budget_of(0, 0.25);
  start_with_journal();
  auto x = ask(1);
  give(0, failed(failure_kind::retry, "reset", true));
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, lost_kind));
  wait(1s);
  ASSERT_EQ(asked.size(), 2u);
  give(1, failed(failure_kind::retry, "reset", true));
  wait(2s);
  EXPECT_EQ(error(x), errc::budget_exhausted); // 0.2 may be gone, 0.1 does not fit
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway, a_call_is_in_the_journal_before_it_goes_out) {
  hold_journal = true;
  start_with_journal();
  auto x = ask(1);
  ASSERT_THAT(kinds(), ElementsAre(reserved_kind));
  EXPECT_THAT(written[0].records.at(0).payload, HasSubstr("\"usd\":0.1"));
  EXPECT_TRUE(asked.empty());
  answer_journal();
  ASSERT_EQ(asked.size(), 1u);
  give(0, answer("one"));
  answer_journal();
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, exchange_kind));
  EXPECT_EQ(text(x), "one");
}

TEST_F(gateway, a_call_that_cannot_be_journaled_does_not_go_out) {
  options.models[0].in_flight = 1;
  journal_problem = make_error(errc::journal_failed, "disk full");
  start_with_journal();
  for (request_id i : {1, 2})
    EXPECT_EQ(error(ask(i)), errc::journal_failed);
  EXPECT_TRUE(asked.empty());
}

TEST_F(gateway, an_attempt_that_cost_nothing_has_no_reservation_any_more) {
  start_with_journal();
  auto x = ask(1);
  give(0, failed(failure_kind::retry, "busy"));
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, released_kind));
  wait(1s);
  give(1, failed(failure_kind::refuse, "no"));
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, released_kind, reserved_kind, released_kind));
  EXPECT_EQ(error(x), errc::provider_failed);
}

TEST_F(gateway, money_of_calls_that_are_out_when_it_stops_counts_as_spent) {
  start_with_journal();
  ask(1);
  ask(2);
  give(1, failed(failure_kind::retry, "busy")); // costs nothing, and waits
  caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
  run();
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, reserved_kind, released_kind));
  EXPECT_THAT(written[2].records.at(0).payload, HasSubstr("\"request\":2"));
}

TEST_F(gateway, a_call_that_has_not_gone_out_when_it_stops_costs_nothing) {
  hold_journal = true;
  start_with_journal();
  auto x = ask(1);
  caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
  run();
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, released_kind));
  EXPECT_EQ(error(x), errc::cancelled);
}

TEST_F(gateway, money_of_calls_that_were_out_in_a_crash_counts_as_spent) {
  options.limits = budget_of(0, 0.25);
  options.earlier.open[{"mlp", 9, "abc"}] = {{"mlp", "coder", "strong"}, {0, 0, 0, 0, 0.1}};
  start();
  ask(1);
  give(0, answer("one", 0.1));
  EXPECT_EQ(error(ask(2)), errc::budget_exhausted);
}

TEST_F(gateway, a_second_crash_does_not_hide_the_first) {
  spend worst;
  worst.usd = 0.1;
  auto hash = content_hash("\n\nhello");
  options.limits = budget_of(0, 1);
  options.earlier.open[{"mlp", 1, hash}] = {{"mlp", "coder", "strong"}, worst};
  start_with_journal();
  ask(1);
  EXPECT_THAT(kinds(), ElementsAre(lost_kind, reserved_kind));
  earlier_run again;
  auto no_text = [](const std::string&) -> caf::expected<std::string> { return std::string{}; };
  for (const auto& x : written)
    EXPECT_FALSE(read_record(x.records.at(0), no_text, again));
  EXPECT_EQ(again.open.size(), 1u);
  EXPECT_DOUBLE_EQ((again.spent[{"mlp", "coder", "strong"}].usd), 0.1);
}

// -- answers that are there already -----------------------------------------------------------

TEST_F(gateway, a_recorded_answer_is_given_without_a_call) {
  options.limits = budget_of(1, 0);
  options.earlier.answers = {{"mlp", 1, content_hash("\n\nhello"), answer("recorded", 0.5)}};
  options.earlier.spent[{"mlp", "coder", "strong"}].queries = 1;
  start();
  auto x = ask(1);
  EXPECT_TRUE(asked.empty());
  ASSERT_EQ(text(x), "recorded");
  EXPECT_TRUE((**x)->recorded);
  EXPECT_EQ((**x)->cost.usd, 0.5);
  EXPECT_EQ(error(ask(2)), errc::budget_exhausted);
  EXPECT_EQ(error(ask(1, "another prompt")), errc::budget_exhausted);
}

TEST_F(gateway, the_same_question_again_is_not_paid_again) {
  start();
  ask(1);
  give(0, answer("one"));
  auto again = ask(1);
  EXPECT_EQ(asked.size(), 1u);
  EXPECT_EQ(text(again), "one");
  EXPECT_TRUE((**again)->recorded);
}

TEST_F(gateway, the_same_question_while_it_is_under_way_waits_for_the_one_call) {
  start();
  auto first = ask(1);
  auto second = ask(1);
  EXPECT_EQ(asked.size(), 1u);
  give(0, answer("one"));
  EXPECT_EQ(text(first), "one");
  EXPECT_EQ(text(second), "one");
}

TEST_F(gateway, a_question_that_goes_on_is_another_one_under_the_same_request) {
  llm_request more{"mlp", 1, "coder", "coder", "strong", "", "hello"};
  more.follow_ups = {{"half", "go on"}};
  options.earlier.answers = {{"mlp", 1, content_hash("\n\nhello"), answer("half")}};
  start();
  EXPECT_EQ(text(ask(1)), "half") << "as in the run before the crash";
  EXPECT_TRUE(asked.empty());
  auto slot = ask(more);
  ASSERT_EQ(asked.size(), 1u);
  give(0, answer(" an answer"));
  EXPECT_EQ(text(slot), " an answer");
  EXPECT_EQ(text(ask(more)), " an answer");
  EXPECT_EQ(asked.size(), 1u) << "each part is paid for once";
}

// -- limits -----------------------------------------------------------------------------------

TEST_F(gateway, so_many_calls_are_out_at_once) {
  start();
  for (request_id i = 1; i <= 3; ++i)
    ask(i);
  EXPECT_EQ(asked.size(), 2u);
  give(0, answer("one"));
  EXPECT_EQ(asked.size(), 3u);
}

TEST_F(gateway, a_full_queue_answers_overloaded) {
  options.max_waiting = 1;
  start();
  for (request_id i = 1; i <= 3; ++i)
    ask(i);
  EXPECT_EQ(error(ask(4)), errc::overloaded);
}

TEST_F(gateway, a_budget_is_never_exceeded_and_used_as_far_as_it_goes) {
  options.models[0].in_flight = 64;
  options.limits = budget_of(0, 1.0);
  start();
  std::vector<result_slot> slots;
  for (request_id i = 1; i <= 64; ++i)
    slots.push_back(ask(i));
  EXPECT_LE(asked.size(), 10u); // at worst 0.10 each
  double paid = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    paid += 0.07;
    give(i, answer("x", 0.07));
  }
  EXPECT_LE(paid, 1.0);
  EXPECT_GE(paid, 0.85);
  for (const auto& x : slots)
    EXPECT_TRUE(text(x) == "x" || error(x) == errc::budget_exhausted) << text(x);
}

TEST_F(gateway, tokens_of_output_have_a_limit_of_their_own) {
  options.models[0].output_tokens_per_minute = 10'000; // one question's most
  start();
  ask(1);
  ask(2);
  EXPECT_EQ(asked.size(), 1u);
  wait(61s);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway, tokens_of_input_have_a_limit_of_their_own) {
  options.models[0].input_tokens_per_minute = 1000;
  start();
  ask(1, std::string(2000, 'x'));
  ask(2, std::string(2000, 'y'));
  EXPECT_EQ(asked.size(), 1u);
  wait(61s);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway, a_minutes_limit_is_waited_for) {
  options.models[0].requests_per_minute = 1;
  start();
  auto first = ask(1);
  auto second = ask(2);
  give(0, answer("one"));
  wait(50s);
  EXPECT_EQ(asked.size(), 1u);
  wait(12s);
  ASSERT_EQ(asked.size(), 2u);
  give(1, answer("two"));
  EXPECT_EQ(text(second), "two");
}

TEST_F(gateway, a_minutes_limit_counts_calls_of_an_earlier_run) {
  options.models[0].requests_per_minute = 2;
  options.time = 1'000;
  options.earlier.started = {{"another", 990, {}}, {"strong", 930, {}}, {"strong", 970, {}}};
  start();
  ask(1);
  ask(2);
  EXPECT_EQ(asked.size(), 1u);
  wait(30s);
  EXPECT_EQ(asked.size(), 1u);
  wait(2s);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway, what_a_servers_headers_say_is_kept) {
  start();
  ask(1);
  asked.at(0).hear({{"x-ratelimit-limit-requests", "60"},
                    {"x-ratelimit-remaining-requests", "0"},
                    {"x-ratelimit-reset-requests", "30s"}});
  run();
  give(0, answer("one"));
  ask(2);
  EXPECT_EQ(asked.size(), 1u);
  wait(31s);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway, what_was_spent_is_told_and_a_budget_can_be_raised) {
  options.limits = budget_of(0, 0.1);
  start();
  ask(1);
  give(0, answer("one", 0.04));
  EXPECT_EQ(error(ask(2)), errc::budget_exhausted);
  topology plan;
  plan.budget.usd = 1;
  caf::anon_send(subject, plan);
  run();
  ask(3);
  EXPECT_EQ(asked.size(), 2u);
  std::map<payer, account_status> accounts;
  sys.spawn([&](caf::event_based_actor* self) {
    self->request(subject, caf::infinite, status_atom_v)
      .then([&](const std::vector<account_status>& x) {
        for (const auto& each : x)
          accounts[each.who] = each;
      });
  });
  run();
  const auto& run_account = accounts[payer{}];
  EXPECT_DOUBLE_EQ(run_account.spent.usd, 0.04);
  EXPECT_NEAR(run_account.reserved_usd, 0.1, 0.01);
  EXPECT_EQ((accounts[{"mlp", {}, "strong"}].spent.queries), 1);
}

// -- nobody waits any more --------------------------------------------------------------------

TEST_F(gateway, a_call_that_nobody_waits_for_is_cancelled_and_may_be_on_the_bill) {
  options.models[0].in_flight = 1;
  start_with_journal();
  patience = 30;
  auto x = ask(1);
  patience = 60;
  auto next = ask(2);
  wait(29s);
  EXPECT_FALSE(asked.at(0).cancelled()->cancelled());
  wait(1s);
  EXPECT_TRUE(asked.at(0).cancelled()->cancelled());
  EXPECT_EQ(error(x), errc::timed_out);
  ASSERT_EQ(asked.size(), 2u) << "another goes out in its place";
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, lost_kind, reserved_kind));
  give(0, answer("too late"));
  give(1, answer("in time"));
  EXPECT_EQ(text(next), "in time");
}

TEST_F(gateway, a_question_that_waits_for_too_long_costs_nothing) {
  options.models[0].in_flight = 1;
  start_with_journal();
  ask(1);
  patience = 30;
  auto x = ask(2);
  wait(30s);
  EXPECT_EQ(error(x), errc::timed_out);
  give(0, answer("one"));
  EXPECT_EQ(asked.size(), 1u);
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, exchange_kind));
}

TEST_F(gateway, whoever_asks_the_same_and_waits_for_longer_keeps_it) {
  start();
  patience = 30;
  ask(1);
  patience = 60;
  auto second = ask(1);
  wait(59s);
  EXPECT_FALSE(asked.at(0).cancelled()->cancelled());
  give(0, answer("one"));
  EXPECT_EQ(text(second), "one");
  wait(10s);
}

TEST_F(gateway, a_question_between_two_attempts_can_be_given_up) {
  start_with_journal();
  patience = 1;
  auto failing = failed(failure_kind::retry, "busy");
  failing.retry_after = 10s;
  auto x = ask(1);
  give(0, failing);
  wait(1s);
  EXPECT_EQ(error(x), errc::timed_out);
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, released_kind));
  wait(20s);
  EXPECT_EQ(asked.size(), 1u);
}

// -- sessions of which nothing goes out any more ----------------------------------------------

TEST_F(gateway, what_has_not_gone_out_is_given_back_when_its_session_is_drained) {
  start_with_journal();
  auto first = ask(1);
  auto second = ask(2);
  auto third = ask(3);
  auto other = ask(1, "hello", "mlp2");
  drain("mlp");
  EXPECT_EQ(error(third), errc::cancelled);
  EXPECT_EQ(text(third), "stopping");
  EXPECT_EQ(error(ask(4)), errc::cancelled);
  EXPECT_EQ(asked.size(), 2u);
  give(0, answer("one"));
  give(1, answer("two"));
  EXPECT_EQ(text(first), "one");
  EXPECT_EQ(text(second), "two");
  EXPECT_EQ(text(ask(1)), "one") << "it is paid for";
  ASSERT_EQ(asked.size(), 3u) << "others go on";
  give(2, answer("three"));
  EXPECT_EQ(text(other), "three");
}

TEST_F(gateway, what_fails_is_not_tried_again_when_its_session_is_drained) {
  options.models.push_back(options.models[0]);
  options.models[1].name = "spare";
  options.models[0].fallback = {"spare"};
  start_with_journal();
  auto between = ask(1);
  auto retried = ask(2);
  give(0, failed(failure_kind::retry, "busy"));
  auto refused = ask(3);
  drain("mlp");
  EXPECT_EQ(error(between), errc::cancelled);
  give(1, failed(failure_kind::retry, "busy"));
  give(2, failed(failure_kind::refuse, "too long"));
  wait(1min);
  EXPECT_EQ(error(retried), errc::cancelled);
  EXPECT_EQ(error(refused), errc::cancelled);
  EXPECT_EQ(asked.size(), 3u);
}

TEST_F(gateway, what_is_being_journaled_goes_out_no_more_and_what_was_answered_is_delivered) {
  hold_journal = true;
  start_with_journal();
  auto reserved = ask(1);
  drain("mlp");
  answer_journal();
  EXPECT_EQ(error(reserved), errc::cancelled);
  EXPECT_TRUE(asked.empty());
  auto answered = ask(1, "hello", "mlp2");
  answer_journal();
  give(0, answer("one"));
  drain("mlp2");
  EXPECT_EQ(text(answered), "nothing yet");
  answer_journal();
  EXPECT_EQ(text(answered), "one");
}

TEST_F(gateway, a_changed_topology_lets_a_drained_session_go_on) {
  start();
  drain("mlp");
  caf::anon_send(subject, topology{});
  run();
  ask(1);
  EXPECT_EQ(asked.size(), 1u);
}

// -- the end ----------------------------------------------------------------------------------

TEST_F(gateway, stopping_cancels_what_is_under_way) {
  start();
  auto out = ask(1);
  auto retrying = ask(2);
  auto waiting = ask(3);
  give(1, failed(failure_kind::retry, "busy"));
  caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
  run();
  for (const auto& x : {out, retrying, waiting})
    EXPECT_EQ(error(x), errc::cancelled) << text(x);
}

TEST_F(gateway, a_reply_after_the_end_is_ignored) {
  start();
  auto x = ask(1);
  caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
  run();
  subject = nullptr;
  give(0, answer("late"));
  EXPECT_EQ(error(x), errc::cancelled);
}
