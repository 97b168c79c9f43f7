#include "runtime/replay_stage.hpp"

#include "llm_clients/gateway.hpp"
#include "llm_clients/price.hpp"
#include "runtime/journal/journal_actor.hpp"
#include "tests/runtime/journal/temporary_folder.hpp"
#include "tests/runtime/recorded_run.hpp"
#include "tests/support/test_system.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <optional>

using namespace lathe;
using namespace lathe::test;
using namespace lathe::runtime;
using testing::HasSubstr;

namespace {

constexpr auto soon = std::chrono::seconds{20};

model_config strong() {
  model_config result;
  result.name = "strong";
  return result;
}

// A stage, and whoever talks to it.
class replay_stage_test : public temporary_folder {
protected:
  ~replay_stage_test() override {
    if (stage) {
      caf::anon_send_exit(stage->handle, caf::exit_reason::user_shutdown);
      stage.reset();
    }
    caf::anon_send_exit(gateway, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(journal, caf::exit_reason::user_shutdown);
  }

  void play(std::vector<std::vector<journal_record>> appends,
            std::chrono::milliseconds patience = soon) {
    replay_options options;
    options.past = std::make_shared<recording>(*recording::read(journal_of(std::move(appends))));
    options.texts = texts;
    options.journal = journal;
    options.patience = patience;
    options.finished = [this](replay_outcome x) { outcome.set_value(std::move(x)); };
    stage = spawn_replay_stage(system.get(), std::move(options));
    llm_clients::gateway_options asking;
    asking.models = {strong()};
    asking.journal = stage->handle;
    asking.providers = stage->providers;
    gateway = llm_clients::spawn_gateway(system.get(), std::move(asking));
    stage->connect(gateway, {});
  }

  // Writes as a session does, and waits until it is written.
  void write(std::vector<journal_record> records) {
    self->request(stage->handle, soon, journal_append{std::move(records), {}})
      .receive([](std::int64_t) {}, [](const caf::error& why) { ADD_FAILURE() << describe(why); });
  }

  auto judge(request_id id) {
    evaluation_request x;
    x.session = "a";
    x.id = id;
    return self->request(stage->handle, soon, x);
  }

  replay_outcome end() {
    auto result = outcome.get_future();
    if (result.wait_for(soon) == std::future_status::ready)
      return result.get();
    return {0, "it does not end"};
  }

  journal_record reservation(const llm_request& x) const {
    auto worst = llm_clients::worst_case(strong(), x);
    auto hash = content_hash(llm_clients::prompt_text(x));
    return llm_clients::reserved_record(x, hash, worst).records[0];
  }

  std::promise<replay_outcome> outcome; // before the actors, which may still tell
  test_system system;
  std::shared_ptr<journal_store> texts = std::make_shared<journal_store>(
    std::move(*journal_store::open_or_create(folder / "recorded.sqlite")));
  journal_actor journal =
    spawn_journal(system.get(), std::move(*journal_store::open_or_create(folder / "now.sqlite")));
  accounting_gateway_actor gateway;
  std::optional<replay_stage> stage;
  caf::scoped_actor self{system.get()};

  const std::vector<journal_record> begin{started("a"), issued("a", 1, "evaluator")};
};

} // namespace

TEST_F(replay_stage_test, verdicts_come_in_the_order_in_which_they_came) {
  std::vector prepared_a{prepared("a"), issued("a", 2, "evaluator"), issued("a", 3, "evaluator")};
  play({begin, prepared_a, {judged("a", 3, "second")}, {leased("a")}, {judged("a", 2, "first")}});
  write(begin);
  write(prepared_a);
  auto first = judge(2);
  auto second = judge(3);
  second.receive([](const verdict& x) { EXPECT_EQ(x.evidence, "second"); },
                 [](const caf::error& why) { FAIL() << describe(why); });
  write({judged("a", 3, "second")});
  first.receive([](const verdict& x) { EXPECT_EQ(x.evidence, "first"); },
                [](const caf::error& why) { FAIL() << describe(why); });
  write({judged("a", 2, "first")});
  auto result = end();
  EXPECT_EQ(result.parting, "");
  EXPECT_EQ(result.played, 8u);
  auto written = journal_store::open_read_only(folder / "now.sqlite")->read_events();
  ASSERT_TRUE(written);
  EXPECT_EQ(written->size(), 8u) << "the lease is there, too";
}

TEST_F(replay_stage_test, what_failed_fails_again) {
  std::vector prepared_a{prepared("a"), issued("a", 2, "evaluator")};
  play({begin, prepared_a, {failed("a", 2, errc::dead_letter, "it killed three judges")}});
  write(begin);
  write(prepared_a);
  judge(2).receive([](const verdict&) { FAIL() << "it failed"; },
                   [](const caf::error& why) {
                     EXPECT_EQ(why, errc::dead_letter);
                     EXPECT_EQ(describe(why), "it killed three judges");
                   });
}

TEST_F(replay_stage_test, a_model_answers_what_it_answered) {
  auto q = question("a", 2);
  auto exchange = exchanged(q, "an answer");
  ASSERT_TRUE(texts->append({}, exchange.contents));
  std::vector prepared_a{prepared("a"), issued("a", 2, "coder")};
  play({begin,
        prepared_a,
        {reservation(q)},
        exchange.records,
        {failed("a", 2, errc::bad_answer, "no code")}});
  write(begin);
  write(prepared_a);
  self->request(stage->handle, soon, q)
    .receive([](const llm_answer&) { FAIL() << "its agent failed when it was recorded"; },
             [](const caf::error& why) { EXPECT_EQ(describe(why), "no code"); });
  write({failed("a", 2, errc::bad_answer, "no code")});
  auto result = end();
  EXPECT_EQ(result.parting, "") << "reserved and exchanged by the gateway";
  EXPECT_EQ(result.played, 7u);
}

TEST_F(replay_stage_test, another_prompt_is_shown_beside_the_recorded_one) {
  auto q = question("a", 2, "Make it fast.\nUse CUDA.");
  auto exchange = exchanged(q, "an answer");
  ASSERT_TRUE(texts->append({}, exchange.contents));
  std::vector prepared_a{prepared("a"), issued("a", 2, "coder")};
  play({begin, prepared_a, {reservation(q)}});
  write(begin);
  write(prepared_a);
  caf::anon_send(stage->handle, question("a", 2, "Make it fast.\nUse Triton."));
  EXPECT_EQ(end().parting,
            "event 5 (llm_reserved of task 'a'): the prompt of agent 'coder' differs "
            "first in line 2: recorded \"Use CUDA.\", now \"Use Triton.\"");
}

TEST_F(replay_stage_test, another_decision_ends_it_and_is_in_the_journal) {
  play({begin, {prepared("a"), issued("a", 2, "coder")}});
  write(begin);
  write({prepared("a"), issued("a", 2, "fixer")});
  auto result = end();
  EXPECT_EQ(result.played, 3u);
  EXPECT_THAT(result.parting,
              HasSubstr("event 4 (request_issued of task 'a'): its 'target' differs"));
  auto written = journal_store::open_read_only(folder / "now.sqlite")->read_events();
  ASSERT_TRUE(written);
  EXPECT_THAT(written->back().payload, HasSubstr("fixer"));
}

TEST_F(replay_stage_test, what_never_comes_is_not_waited_for_for_ever) {
  play({begin, {prepared("a")}}, std::chrono::milliseconds{50});
  write(begin);
  auto result = end();
  EXPECT_THAT(result.parting, HasSubstr("event 3 (task_prepared of task 'a'): nothing came of it"));
}
