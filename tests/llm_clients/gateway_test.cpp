#include "llm_clients/gateway.hpp"

#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <caf/action.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <gmock/gmock.h>

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

// Holds back its completions until the test gives them a reply.
struct fake_provider : provider {
  explicit fake_provider(std::vector<completion>* x) : asked(x) {
    // nop
  }

  void ask(const llm_request& question, completion done) override {
    if (question.prompt == "throw")
      throw std::runtime_error{"a bug in a provider"};
    if (question.prompt != "drop")
      asked->push_back(std::move(done));
  }

  std::vector<completion>* asked;
};

struct config : caf::actor_system_config {
  config() {
    set("caf.scheduler.policy", "testing");
  }
};

llm_answer answer(std::string text, double usd = 0.01) {
  return {std::move(text), "gpt-x", "stop", {1, 100, 0, 50, usd}, 1.5, false};
}

spending_limits budget_of(std::int64_t queries, double usd) {
  return spending_limits{budget_config{queries, usd, 0}};
}

failure failed(failure_kind kind, std::string sentence, bool may_be_charged = false) {
  return {kind, std::move(sentence), {}, may_be_charged};
}

// The test owns scheduler and clock: nothing runs but in `run`, no time passes but in `wait`.
class gateway : public testing::Test {
protected:
  using scheduler_type = caf::scheduler::test_coordinator;

  gateway() : scheduler(dynamic_cast<scheduler_type&>(sys.scheduler())) {
    model_config model;
    model.name = "strong";
    model.in_flight = 2;
    model.price.output = 10;
    model.max_output_tokens = 10'000; // 0.10 USD at worst
    options.models = {model};
    options.retry = {3, 1s, 60s, 300s};
    options.providers = [this](const model_config&) {
      return caf::expected<std::unique_ptr<provider>>{std::make_unique<fake_provider>(&asked)};
    };
  }

  ~gateway() override {
    caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(journal, caf::exit_reason::user_shutdown);
    run();
  }

  void start() {
    subject = spawn_gateway(sys, options);
  }

  // A journal that keeps what it gets, and answers as `journal_answer` says.
  void start_with_journal() {
    journal = sys.spawn([this](journal_actor::pointer self) -> journal_actor::behavior_type {
      return {[this, self](journal_append& x) -> caf::result<std::int64_t> {
                written.push_back(std::move(x));
                if (journal_problem)
                  return journal_problem;
                if (!hold_journal)
                  return static_cast<std::int64_t>(written.size());
                held_appends.push_back(self->make_response_promise<std::int64_t>());
                return held_appends.back();
              },
              [](flush_atom) {}};
    });
    options.journal = journal;
    start();
  }

  void answer_journal() {
    caf::anon_send(caf::actor_cast<caf::actor>(journal), caf::make_action([this] {
                     for (auto& x : std::exchange(held_appends, {}))
                       x.deliver(std::int64_t{1});
                   }));
    run();
  }

  // What is in the journal, in order.
  std::vector<std::string> kinds() const {
    std::vector<std::string> result;
    for (const auto& x : written)
      for (const auto& record : x.records)
        result.push_back(record.kind);
    return result;
  }

  void run() {
    while (scheduler.try_run_once()) {
      // nop
    }
  }

  void wait(caf::timespan time) {
    scheduler.advance_time(time);
    run();
  }

  // Asks and returns where the result will be; nothing until there is one.
  using result_slot = std::shared_ptr<std::optional<caf::expected<llm_answer>>>;

  result_slot ask(request_id request, std::string prompt = "hello", session_id session = "mlp",
                  std::string model = "strong") {
    return ask(
      {std::move(session), request, "coder", "coder", std::move(model), "", std::move(prompt)});
  }

  result_slot ask(llm_request x) {
    auto slot = std::make_shared<std::optional<caf::expected<llm_answer>>>();
    x.patience = patience;
    sys.spawn([slot, x, to = subject](caf::event_based_actor* self) {
      self->request(to, caf::infinite, x)
        .then([slot](const llm_answer& y) { slot->emplace(y); },
              [slot](const caf::error& y) { slot->emplace(y); });
    });
    run();
    return slot;
  }

  void give(std::size_t index, reply x) {
    asked.at(index)(std::move(x));
    run();
  }

  static std::string text(const result_slot& x) {
    if (!*x)
      return "nothing yet";
    return **x ? (**x)->text : describe((*x)->error());
  }

  static caf::error error(const result_slot& x) {
    return *x && !**x ? (*x)->error() : caf::error{};
  }

  config cfg;
  caf::actor_system sys{cfg};
  scheduler_type& scheduler;
  gateway_options options;
  accounting_gateway_actor subject;
  journal_actor journal;
  caf::error journal_problem;
  double patience = 0;       // [seconds] of who asks next
  bool hold_journal = false; // until `answer_journal`
  std::vector<caf::typed_response_promise<std::int64_t>> held_appends;
  std::vector<journal_append> written;
  std::vector<completion> asked; // in the order in which the provider was asked
};

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

// -- the journal ----------------------------------------------------------------------------

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

// -- failures -----------------------------------------------------------------------------------

TEST_F(gateway, what_can_be_retried_is_retried_after_a_wait) {
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

TEST_F(gateway, somebody_else_may_say_when_it_is_tried_again) {
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

TEST_F(gateway, retries_end) {
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

TEST_F(gateway, a_server_that_was_never_there_closes_its_model_when_the_retries_end) {
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

TEST_F(gateway, a_server_that_was_there_before_may_come_back) {
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

TEST_F(gateway, what_a_server_asks_to_wait_is_waited) {
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

TEST_F(gateway, who_asks_to_wait_for_long_is_not_given_up) {
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

TEST_F(gateway, models_of_a_server_that_is_not_there_any_more_are_left_alone_together) {
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

TEST_F(gateway, attempts_that_cost_nothing_share_a_reservation) {
  start_with_journal();
  auto x = ask(1);
  give(0, failed(failure_kind::retry, "busy"));
  wait(1s);
  give(1, failed(failure_kind::refuse, "no"));
  EXPECT_THAT(kinds(), ElementsAre(reserved_kind, released_kind));
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

TEST_F(gateway, a_server_that_keeps_failing_is_left_alone) {
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

// -- mailboxes ------------------------------------------------------------------------------

namespace {

class gateway_with_mailbox : public gateway {
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
              ElementsAre(reserved_kind, reserved_kind, lost_kind, reserved_kind, released_kind));
}

// -- stand-ins ------------------------------------------------------------------------------

namespace {

class gateway_with_stand_in : public gateway {
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

TEST_F(gateway, a_call_that_waits_for_another_attempt_holds_no_slot) {
  options.models[0].in_flight = 1;
  start();
  ask(1);
  ask(2);
  give(0, failed(failure_kind::retry, "busy"));
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(gateway, a_refused_question_ends_alone) {
  start();
  auto first = ask(1);
  auto second = ask(2);
  give(0, failed(failure_kind::refuse, "too long"));
  EXPECT_EQ(error(first), errc::provider_failed);
  EXPECT_EQ(text(first), "too long");
  give(1, answer("two"));
  EXPECT_EQ(text(second), "two");
}

TEST_F(gateway, a_wrong_key_ends_every_question_to_the_model_with_one_sentence) {
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

TEST_F(gateway, a_call_that_waits_for_another_attempt_ends_with_its_model) {
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

TEST_F(gateway, a_provider_that_cannot_be_made_refuses_with_its_sentence) {
  options.providers = [](const model_config&) -> caf::expected<std::unique_ptr<provider>> {
    return make_error(errc::user_error, "no such folder");
  };
  start();
  auto x = ask(1);
  EXPECT_EQ(error(x), errc::provider_refused);
  EXPECT_EQ(text(x), "no such folder");
}

TEST_F(gateway, a_provider_that_throws_or_drops_the_question_leaves_nobody_waiting) {
  start();
  auto thrown = ask(1, "throw");
  auto dropped = ask(2, "drop");
  wait(1s);
  wait(2s);
  EXPECT_EQ(error(thrown), errc::provider_failed);
  EXPECT_EQ(error(dropped), errc::provider_failed);
  EXPECT_THAT(text(dropped), HasSubstr("dropped the question"));
}

// -- nobody waits any more ------------------------------------------------------------------------

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

// -- the end ------------------------------------------------------------------------------------

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
