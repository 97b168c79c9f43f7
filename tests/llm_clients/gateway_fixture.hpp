#pragma once

#include "llm_clients/gateway.hpp"

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

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lathe::llm_clients::test {

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

struct scheduled_by_test : caf::actor_system_config {
  scheduled_by_test() {
    set("caf.scheduler.policy", "testing");
  }
};

inline llm_answer answer(std::string text, double usd = 0.01) {
  return {std::move(text), "gpt-x", "stop", {1, 100, 0, 50, usd}, 1.5, false};
}

inline spending_limits budget_of(std::int64_t queries, double usd) {
  return spending_limits{budget_config{queries, usd, 0}};
}

inline failure failed(failure_kind kind, std::string sentence, bool may_be_charged = false) {
  return {kind, std::move(sentence), {}, may_be_charged};
}

// The test owns scheduler and clock: nothing runs but in `run`, no time passes but in `wait`.
class gateway_fixture : public testing::Test {
protected:
  using scheduler_type = caf::scheduler::test_coordinator;

  gateway_fixture() : scheduler(dynamic_cast<scheduler_type&>(sys.scheduler())) {
    model_config model;
    model.name = "strong";
    model.in_flight = 2;
    model.price.output = 10;
    model.max_output_tokens = 10'000; // 0.10 USD at worst
    options.models = {model};
    options.retry = {3, std::chrono::seconds{1}, std::chrono::seconds{60},
                     std::chrono::seconds{300}};
    options.providers = [this](const model_config&) {
      return caf::expected<std::unique_ptr<provider>>{std::make_unique<fake_provider>(&asked)};
    };
  }

  ~gateway_fixture() override {
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

  void drain(const session_id& session) {
    caf::anon_send(subject, drain_atom_v, session, make_error(errc::cancelled, "stopping"));
    run();
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

  scheduled_by_test cfg;
  caf::actor_system sys{cfg};
  scheduler_type& scheduler;
  gateway_options options;
  drainable_gateway_actor subject;
  journal_actor journal;
  caf::error journal_problem;
  double patience = 0;       // [seconds] of who asks next
  bool hold_journal = false; // until `answer_journal`
  std::vector<caf::typed_response_promise<std::int64_t>> held_appends;
  std::vector<journal_append> written;
  std::vector<completion> asked; // in the order in which the provider was asked
};

} // namespace lathe::llm_clients::test
