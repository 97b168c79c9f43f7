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

std::vector<model_config> models() {
  std::vector<model_config> result(2);
  result[0].name = "strong";
  result[0].fallback = {"cheap"};
  result[1].name = "cheap";
  return result;
}

spend worst_of(const llm_request& x) {
  return llm_clients::worst_case(models()[0], x);
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
    asking.models = models();
    asking.journal = stage->handle;
    asking.providers = stage->providers;
    asking.retries_when = stage->retries_when;
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
    auto hash = content_hash(llm_clients::prompt_text(x));
    return llm_clients::reserved_record(x, hash, worst_of(x)).records[0];
  }

  journal_record loss(const llm_request& x) const {
    auto hash = content_hash(llm_clients::prompt_text(x));
    return llm_clients::lost_record(x, hash, worst_of(x)).records[0];
  }

  // Plays a session with one question, of which the gateway wrote this, in the end an answer.
  replay_outcome play_question(std::vector<journal_record> about_it, const llm_request& answered) {
    auto exchange = exchanged(answered, "an answer");
    EXPECT_TRUE(texts->append({}, exchange.contents));
    std::vector prepared_a{prepared("a"), issued("a", 2, "coder")};
    std::vector appends{begin, prepared_a};
    for (auto& x : about_it)
      appends.push_back({std::move(x)});
    auto no_code = failed("a", 2, errc::bad_answer, "no code");
    appends.insert(appends.end(), {exchange.records, {no_code}});
    play(std::move(appends));
    write(begin);
    write(prepared_a);
    self->request(stage->handle, soon, q)
      .receive([](const llm_answer&) { ADD_FAILURE() << "its agent failed when it was recorded"; },
               [](const caf::error& why) { EXPECT_EQ(describe(why), "no code"); });
    write({no_code});
    return end();
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
  const llm_request q = question("a", 2);
  const llm_request cheap_q = question("a", 2, "go", "cheap");
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
  auto result = play_question({reservation(q)}, q);
  EXPECT_EQ(result.parting, "") << "reserved and exchanged by the gateway";
  EXPECT_EQ(result.played, 7u);
}

TEST_F(replay_stage_test, a_stand_in_answers_as_it_did) {
  auto result = play_question(
    {reservation(q), released(q), reservation(cheap_q), loss(cheap_q), reservation(cheap_q)},
    cheap_q);
  EXPECT_EQ(result.parting, "");
  EXPECT_EQ(result.played, 11u);
}

TEST_F(replay_stage_test, after_a_crash_a_question_begins_with_its_first_model_again) {
  auto result =
    play_question({reservation(q), released(q), reservation(cheap_q), loss(cheap_q), reservation(q),
                   released(q), reservation(cheap_q), loss(cheap_q), reservation(q)},
                  q);
  EXPECT_EQ(result.parting, "");
  EXPECT_EQ(result.played, 15u);
}

TEST_F(replay_stage_test, after_a_crash_a_model_is_asked_that_was_left_alone_before) {
  auto result = play_question({reservation(cheap_q), loss(cheap_q), reservation(q)}, q);
  EXPECT_EQ(result.parting, "");
  EXPECT_EQ(result.played, 9u);
}

TEST_F(replay_stage_test, a_question_that_was_given_up_can_be_asked_again) {
  auto result = play_question({reservation(q), released(q), reservation(q)}, q);
  EXPECT_EQ(result.parting, "");
  EXPECT_EQ(result.played, 9u);
}

TEST_F(replay_stage_test, another_prompt_is_shown_beside_the_recorded_one) {
  auto cuda = question("a", 2, "Make it fast.\nUse CUDA.");
  auto exchange = exchanged(cuda, "an answer");
  ASSERT_TRUE(texts->append({}, exchange.contents));
  std::vector prepared_a{prepared("a"), issued("a", 2, "coder")};
  play({begin, prepared_a, {reservation(cuda)}});
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
