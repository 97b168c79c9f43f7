#include "actors/llm_agents.hpp"

#include "messages/error.hpp"
#include "tests/support/test_system.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <gmock/gmock.h>

#include <mutex>

using namespace lathe;
using namespace lathe::actors;
using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

constexpr auto patience = 20s; // not expected to pass

const std::string code = "import torch\n\nclass ModelNew(torch.nn.Module):\n    x = 1\n";
const std::string answer_text = "Fused.\n```python\n" + code + "```\n";

llm_answer part(std::string text, std::string finish) {
  llm_answer result;
  result.text = std::move(text);
  result.finish = std::move(finish);
  result.cost = {1, 100, 0, 50, 0.5};
  return result;
}

// A coder and a gateway that answers as the test says.
class llm_agents : public testing::Test {
protected:
  using answers = std::vector<caf::expected<llm_answer>>;

  llm_agents() {
    config.name = "coder";
    config.role = role::coder;
    config.model = "strong";
    config.prompt = "hello";
  }

  caf::expected<draft> code_with(answers given, std::int32_t queries) {
    auto gateway =
      system.get().spawn([this, given](gateway_actor::pointer) -> gateway_actor::behavior_type {
        return {[this, given](llm_request& x) -> caf::result<llm_answer> {
          std::lock_guard guard{mutex};
          asked.push_back(std::move(x));
          auto& answer = given.at(asked.size() - 1);
          if (!answer)
            return answer.error();
          return *answer;
        }};
      });
    auto coder = spawn_coder(system.get(), config, gateway);
    assignment work;
    work.session = "mlp";
    work.id = 7;
    work.queries = queries;
    caf::expected<draft> result = make_error(errc::none, "nothing yet");
    caf::scoped_actor self{system.get()};
    self->request(coder, patience, work)
      .receive([&](draft& x) { result = std::move(x); },
               [&](caf::error& x) { result = std::move(x); });
    // Or the clock, which knows of time limits, keeps them alive until these are over.
    self->send_exit(coder, caf::exit_reason::user_shutdown);
    self->send_exit(gateway, caf::exit_reason::user_shutdown);
    return result;
  }

  std::mutex mutex; // before the system, whose actors use these
  std::vector<llm_request> asked;
  agent_config config;
  test::test_system system;
};

} // namespace

TEST_F(llm_agents, what_was_cut_off_is_asked_for_once_and_joined) {
  auto x =
    code_with({part(answer_text.substr(0, 50), "length"), part(answer_text.substr(50), "stop")}, 2);
  ASSERT_TRUE(x) << describe(x.error());
  EXPECT_EQ(x->source, code);
  EXPECT_EQ(x->problem, "");
  EXPECT_EQ(x->cost.queries, 2);
  EXPECT_EQ(x->cost.usd, 1.0);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].prompt, asked[0].prompt);
  EXPECT_EQ(asked[1].request, 7u);
  ASSERT_EQ(asked[1].follow_ups.size(), 1u);
  EXPECT_EQ(asked[1].follow_ups[0].answer, answer_text.substr(0, 50));
}

TEST_F(llm_agents, a_question_has_all_that_its_agent_says) {
  config.prompt = "You are a coder.\n\n{{!question}}\nFaster!";
  config.priority = 7;
  config.stop_after_code = true;
  config.timeout = 12;
  code_with({part(answer_text, "stop")}, 1);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].system, "You are a coder.\n");
  EXPECT_EQ(asked[0].prompt, "Faster!");
  EXPECT_EQ(asked[0].priority, 7);
  EXPECT_TRUE(asked[0].stop_after_code);
  EXPECT_EQ(asked[0].patience, 12);
}

TEST_F(llm_agents, with_one_query_nothing_goes_on) {
  auto x = code_with({part("Fused.\n", "length")}, 1);
  ASSERT_TRUE(x) << describe(x.error());
  EXPECT_THAT(x->problem, HasSubstr("the answer was cut off at the model's token limit"));
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(llm_agents, an_answer_that_is_cut_again_is_handed_in_as_it_is) {
  auto x = code_with(
    {part(answer_text.substr(0, 20), "length"), part(answer_text.substr(20, 50), "length")}, 2);
  ASSERT_TRUE(x) << describe(x.error());
  EXPECT_EQ(x->cost.queries, 2);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(llm_agents, when_nothing_goes_on_the_first_part_is_the_answer) {
  for (auto code : {errc::provider_failed, errc::budget_exhausted}) {
    asked.clear();
    auto x = code_with({part("Fused.\n", "length"), make_error(code, "no")}, 2);
    ASSERT_TRUE(x) << describe(x.error());
    EXPECT_THAT(x->problem, HasSubstr("cut off"));
    EXPECT_EQ(x->cost.queries, 1);
  }
}

TEST_F(llm_agents, what_ends_the_run_ends_the_second_question_too) {
  for (auto code : {errc::provider_refused, errc::provider_unreachable, errc::cancelled,
                    errc::journal_failed, errc::overloaded}) {
    asked.clear();
    auto x = code_with({part("Fused.\n", "length"), make_error(code, "no")}, 2);
    ASSERT_FALSE(x);
    EXPECT_EQ(x.error(), code);
  }
}
