#include "messages/content_hash.hpp"
#include "tests/llm_clients/gateway_fixture.hpp"

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class gateway_with_mailbox : public gateway_fixture {
protected:
  gateway_with_mailbox() {
    options.models[0].provider = provider_kind::mailbox;
    options.models[0].in_flight = 1'000;
  }

  void waits(std::size_t index) {
    give(index, failed(failure_kind::wait, "no answer yet"));
  }
};

} // namespace

TEST_F(gateway_with_mailbox, who_asks_again_gets_the_answer_that_came) {
  start_with_journal();
  auto first = ask(1);
  waits(0);
  EXPECT_EQ(error(first), errc::awaits_mailbox);
  EXPECT_EQ(text(first), "no answer yet");
  wait(1h);
  EXPECT_EQ(asked.size(), 1u) << "the gateway has no patience of its own for it";
  auto second = ask(1);
  auto twin = ask(1);
  ASSERT_EQ(asked.size(), 2u);
  waits(1);
  EXPECT_EQ(error(second), errc::awaits_mailbox);
  EXPECT_EQ(error(twin), errc::awaits_mailbox);
  auto third = ask(1);
  give(2, answer("at last"));
  EXPECT_EQ(text(third), "at last");
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, exchange_kind)) << "waiting is not journaled";
  EXPECT_EQ(text(ask(1)), "at last");
  EXPECT_EQ(asked.size(), 3u);
}

TEST_F(gateway_with_mailbox, the_money_of_what_was_posted_stays_reserved) {
  options.limits = budget_of(0, 0.25); // 0.10 each at worst
  start();
  ask(1);
  ask(2);
  waits(0);
  waits(1);
  auto third = ask(3);
  EXPECT_EQ(asked.size(), 2u) << "it is not posted";
  EXPECT_EQ(error(third), errc::awaits_mailbox);
  auto again = ask(1);
  ASSERT_EQ(asked.size(), 3u) << "this one has its money";
  third = ask(3);
  EXPECT_EQ(text(third), "nothing yet") << "it may fit in a moment";
  give(2, answer("one", 0.02));
  EXPECT_EQ(text(again), "one");
  ASSERT_EQ(asked.size(), 4u);
  give(3, answer("three", 0.10));
  EXPECT_EQ(text(third), "three");
  EXPECT_EQ(error(ask(4)), errc::awaits_mailbox);
  auto second = ask(2);
  give(4, answer("two", 0.10));
  EXPECT_EQ(text(second), "two");
  EXPECT_EQ(error(ask(4)), errc::budget_exhausted);
}

TEST_F(gateway_with_mailbox, what_is_refused_there_gives_its_money_back) {
  options.limits = budget_of(0, 0.10);
  start();
  auto first = ask(1);
  waits(0);
  first = ask(1);
  give(1, failed(failure_kind::refuse, "too long"));
  EXPECT_EQ(error(first), errc::provider_failed);
  ask(2);
  EXPECT_EQ(asked.size(), 3u);
}

TEST_F(gateway_with_mailbox, a_look_that_a_stop_cuts_off_is_not_paid) {
  start_with_journal();
  auto first = ask(1);
  caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
  run();
  EXPECT_EQ(error(first), errc::cancelled);
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind)) << "it is in the mailbox";
}

TEST_F(gateway_with_mailbox, a_question_in_other_words_gives_up_the_one_that_was_posted) {
  options.limits = budget_of(0, 0.25);
  start_with_journal();
  ask(1);
  waits(0);
  ask(1, "hullo");
  EXPECT_EQ(asked.size(), 2u);
  waits(1);
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, lost_kind, reserved_kind));
  EXPECT_EQ(error(ask(2)), errc::awaits_mailbox) << "0.1 may be gone, and 0.1 is reserved";
}

TEST_F(gateway_with_mailbox, a_question_of_an_agent_that_was_taken_away_is_given_up) {
  options.limits = budget_of(0, 0.15);
  start_with_journal();
  ask(1);
  waits(0);
  topology plan;
  plan.budget = {0, 0.15, 0};
  plan.agents.resize(1);
  plan.agents[0].name = "coder";
  caf::anon_send(subject, plan);
  run();
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind)) << "its agent is still there";
  plan.agents[0].name = "another";
  caf::anon_send(subject, plan);
  run();
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, lost_kind));
  EXPECT_EQ(error(ask(2)), errc::budget_exhausted) << "no answer would give money back";
}

TEST_F(gateway_with_mailbox, one_that_is_looked_for_while_its_agent_is_taken_away_as_well) {
  start_with_journal();
  ask(1);
  caf::anon_send(subject, topology{});
  run();
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind));
  waits(0);
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, lost_kind));
}

TEST_F(gateway_with_mailbox, a_folder_that_fails_gives_no_money_back) {
  options.limits = budget_of(0, 0.15);
  start_with_journal();
  ask(1);
  waits(0);
  auto again = ask(1);
  give(1, failed(failure_kind::retry, "the folder is locked"));
  EXPECT_EQ(error(again), errc::provider_unreachable);
  EXPECT_EQ(text(again), "the folder is locked");
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind));
  EXPECT_EQ(error(ask(2)), errc::awaits_mailbox) << "the money is still reserved";
}

TEST_F(gateway_with_mailbox, what_an_earlier_run_posted_keeps_its_money_until_it_is_answered) {
  options.limits = budget_of(0, 0.25);
  spend worst;
  worst.usd = 0.1;
  options.earlier.open[{"mlp", 1, content_hash("\n\nhello")}] = {{"mlp", "coder", "strong"}, worst};
  options.earlier.open[{"mlp", 2, content_hash("\n\nhello")}] = {{"mlp", "coder", "strong"}, worst};
  start_with_journal();
  EXPECT_EQ(error(ask(3)), errc::awaits_mailbox);
  EXPECT_TRUE(asked.empty()) << "there is no money to post it";
  auto first = ask(1);
  give(0, answer("one", 0.02));
  EXPECT_EQ(text(first), "one");
  EXPECT_THAT(kinds(), ElementsAre(exchange_kind)) << "it is reserved already";
  ask(3);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway_with_mailbox, a_question_stays_with_the_stand_in_that_has_it) {
  options.models.push_back(options.models[0]);
  options.models[1].name = "spare";
  options.models[0].provider = provider_kind::openai;
  options.models[0].fallback = {"spare"};
  start_with_journal();
  ask(1);
  give(0, failed(failure_kind::refuse, "too long"));
  waits(1);
  auto again = ask(1);
  give(2, answer("from the mailbox"));
  EXPECT_EQ(text(again), "from the mailbox");
  EXPECT_THAT(written.back().records.at(0).payload, HasSubstr("\"model\":\"spare\""));
}

TEST_F(gateway_with_mailbox, who_stands_in_for_it_is_retried_and_paid_like_any_other) {
  options.models.push_back(options.models[0]);
  options.models[1].name = "spare";
  options.models[1].provider = provider_kind::openai;
  options.models[0].fallback = {"spare"};
  options.limits = budget_of(0, 0.25);
  start_with_journal();
  ask(1);
  waits(0);
  auto again = ask(1);
  give(1, failed(failure_kind::refuse, "too long"));
  give(2, failed(failure_kind::retry, "HTTP 504", true));
  wait(1min);
  ASSERT_EQ(asked.size(), 4u);
  EXPECT_EQ(text(again), "nothing yet");
  give(3, failed(failure_kind::fail, "wrong key"));
  EXPECT_EQ(error(again), errc::provider_refused);
  EXPECT_THAT(kinds(),
              ElementsAre(reserved_kind, released_kind, reserved_kind, lost_kind, reserved_kind,
                          released_kind));
}
