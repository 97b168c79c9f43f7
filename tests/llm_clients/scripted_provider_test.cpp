#include "llm_clients/scripted_provider.hpp"

#include "llm_clients/io_thread.hpp"

#include <gmock/gmock.h>

#include <future>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::HasSubstr;

namespace {

script one_answer(const std::string& text) {
  return script{"s", {{"coder", {*parse_scripted_answer("a", text)}}}};
}

std::future<reply> ask(provider& x, const std::string& role) {
  auto promise = std::make_shared<std::promise<reply>>();
  llm_request question;
  question.role = role;
  question.prompt = "12345678";
  x.ask(question, completion{[promise](reply y) { promise->set_value(std::move(y)); }});
  return promise->get_future();
}

model_config model() {
  model_config result;
  result.model = "demo";
  result.price.output = 1'000'000;
  return result;
}

} // namespace

TEST(scripted_provider, an_answer_costs_what_its_text_comes_to) {
  auto io = std::make_shared<io_thread>();
  scripted_provider x{model(), one_answer("---\n123456789"), io};
  auto answer = std::get<llm_answer>(ask(x, "coder").get());
  EXPECT_EQ(answer.text, "123456789");
  EXPECT_EQ(answer.model, "demo");
  EXPECT_EQ(answer.finish, "stop");
  EXPECT_EQ(answer.cost.queries, 1);
  EXPECT_EQ(answer.cost.input_tokens, 2);
  EXPECT_EQ(answer.cost.output_tokens, 3);
  EXPECT_DOUBLE_EQ(answer.cost.usd, 3);
}

TEST(scripted_provider, a_delayed_answer_comes_later_with_its_tokens) {
  auto io = std::make_shared<io_thread>();
  scripted_provider x{model(), one_answer("delay: 0.05\ntokens: 9 4\n---\nlate"), io};
  auto start = std::chrono::steady_clock::now();
  auto answer = std::get<llm_answer>(ask(x, "coder").get());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds{50});
  EXPECT_EQ(answer.text, "late");
  EXPECT_EQ(answer.cost.input_tokens, 9);
  EXPECT_EQ(answer.cost.output_tokens, 4);
  EXPECT_EQ(answer.seconds, 0.05);
}

TEST(scripted_provider, without_an_answer_the_question_is_refused) {
  auto io = std::make_shared<io_thread>();
  scripted_provider x{model(), one_answer("---\n"), io};
  auto result = std::get<failure>(ask(x, "fixer").get());
  EXPECT_EQ(result.kind, failure_kind::refuse);
  EXPECT_THAT(result.sentence, HasSubstr("'fixer'"));
}

TEST(scripted_provider, a_question_that_waits_at_the_end_is_not_left_open) {
  auto io = std::make_shared<io_thread>();
  auto x = std::make_unique<scripted_provider>(model(), one_answer("delay: 3600\n---\n"), io);
  auto waiting = ask(*x, "coder");
  x.reset();
  io.reset();
  EXPECT_EQ(std::get<failure>(waiting.get()).kind, failure_kind::retry);
}
