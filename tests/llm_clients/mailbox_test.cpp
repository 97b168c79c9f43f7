#include "llm_clients/mailbox.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

namespace {

llm_request question(std::string prompt = "make it fast", session_id session = "mlp") {
  return {std::move(session), 7, "coder", "coder", "box", "", std::move(prompt)};
}

model_config box(const std::string& api = "chat") {
  model_config result;
  result.name = "box";
  result.provider = provider_kind::mailbox;
  result.model = "m-1";
  result.api = api;
  result.max_output_tokens = 500;
  result.price.input = 1;
  result.price.output = 10;
  return result;
}

const auto id = custom_id(box(), question());

// A line as a batch endpoint writes it.
std::string line(const std::string& response, const std::string& error = "null",
                 const std::string& of = id) {
  return fmt::format(R"({{"id":"batch_req_1","custom_id":"{}","response":{},"error":{}}})", of,
                     response, error);
}

std::string answer(const std::string& text) {
  return line(fmt::format(R"({{"status_code":200,"request_id":"r","body":{{"model":"m-1-2026",)"
                          R"("choices":[{{"message":{{"content":"{}"}},"finish_reason":"stop"}}],)"
                          R"("usage":{{"prompt_tokens":1000,"completion_tokens":100}}}}}})",
                          text));
}

std::string refusal(int status, const std::string& message = "no") {
  return line(
    fmt::format(R"({{"status_code":{},"body":{{"error":{{"message":"{}"}}}}}})", status, message));
}

class answers : public testing::Test {
protected:
  std::string add(const std::string& text) {
    return subject.add(text).warning;
  }

  // The text of the answer, a refusal's sentence, or that there is nothing.
  std::string found() {
    auto x = subject.find(id, question());
    if (!x)
      return "nothing";
    auto given = std::get_if<llm_answer>(&*x);
    return given ? given->text : std::get<failure>(*x).sentence;
  }

  mailbox_answers subject{box()};
};

} // namespace

TEST(mailbox, an_id_is_readable_and_the_same_only_for_the_same_question) {
  EXPECT_THAT(id, MatchesRegex("mlp-7-[0-9a-f]+"));
  EXPECT_EQ(id, custom_id(box(), question()));
  EXPECT_NE(id, custom_id(box(), question("make it faster")));
  auto other = box();
  other.model = "m-2";
  EXPECT_NE(id, custom_id(other, question()));
}

TEST(mailbox, an_id_holds_what_servers_take_whatever_a_session_is_called) {
  auto odd = custom_id(box(), question("x", "a b/ü"));
  EXPECT_THAT(odd, MatchesRegex("a_b___-7-[0-9a-f]+"));
  auto long_name = std::string(200, 'x');
  auto cut = custom_id(box(), question("x", long_name + "1"));
  EXPECT_EQ(cut.size(), 64u);
  EXPECT_NE(cut, custom_id(box(), question("x", long_name + "2")));
}

TEST(mailbox, a_question_is_a_line_of_the_batch_format) {
  EXPECT_EQ(batch_line(box(), question("a\n\"b\"")),
            fmt::format(R"({{"custom_id":"{}","method":"POST","url":"/v1/chat/completions","body":)"
                        R"({{"model":"m-1","max_tokens":500,"messages":[{{"role":"user","content":)"
                        R"("a\n\"b\""}}]}}}})"
                        "\n",
                        custom_id(box(), question("a\n\"b\""))));
  EXPECT_THAT(batch_line(box("responses"), question()), HasSubstr(R"("url":"/v1/responses")"));
  auto streaming = box();
  streaming.stream = true;
  EXPECT_THAT(batch_line(streaming, question()), Not(HasSubstr("stream")));
}

TEST(mailbox, ids_are_read_from_lines_that_have_one) {
  EXPECT_EQ(custom_id_in(batch_line(box(), question())), id);
  for (auto broken : {"", "{", "[]", "7", R"({"id":"x"})", R"({"custom_id":7})"})
    EXPECT_EQ(custom_id_in(broken), "") << broken;
}

TEST_F(answers, an_answer_comes_with_its_cost) {
  EXPECT_EQ(found(), "nothing");
  EXPECT_THAT(add(answer("done")), IsEmpty());
  auto x = std::get<llm_answer>(subject.find(id, question()).value());
  EXPECT_EQ(x.text, "done");
  EXPECT_EQ(x.model, "m-1-2026");
  EXPECT_EQ(x.cost.queries, 1);
  EXPECT_EQ(x.cost.input_tokens, 1000);
  EXPECT_DOUBLE_EQ(x.cost.usd, 0.002);
}

TEST_F(answers, an_answer_of_the_responses_api_is_read_in_its_words) {
  mailbox_answers other{box("responses")};
  auto name = custom_id(box("responses"), question());
  other.add(line(R"({"status_code":200,"body":{"status":"completed","model":"m","output":)"
                 R"([{"content":[{"type":"output_text","text":"so"}]}]}})",
                 "null", name));
  EXPECT_EQ(std::get<llm_answer>(other.find(name, question()).value()).text, "so");
}

TEST_F(answers, what_a_person_leaves_out_is_not_missed) {
  EXPECT_THAT(add(fmt::format(R"({{"custom_id":"{}","response":{{"body":{{"choices":)"
                              R"([{{"message":{{"content":"by hand"}}}}]}}}}}})",
                              id)),
              IsEmpty());
  EXPECT_EQ(found(), "by hand");
  auto x = std::get<llm_answer>(subject.find(id, question()).value());
  EXPECT_GT(x.cost.usd, 0) << "without usage the bound is charged";
}

TEST_F(answers, a_file_may_begin_with_a_byte_order_mark) {
  auto marked = "\xEF\xBB\xBF" + answer("done");
  EXPECT_EQ(custom_id_in(marked), id);
  EXPECT_THAT(add(marked), IsEmpty());
  EXPECT_EQ(found(), "done");
}

TEST_F(answers, usage_that_says_nothing_is_charged_like_none) {
  auto cost_with = [](const std::string& usage) {
    mailbox_answers x{box()};
    x.add(line(R"({"status_code":200,"body":{"choices":[{"message":{"content":"by hand"}}])" + usage
               + "}}"));
    return std::get<llm_answer>(x.find(id, question()).value()).cost.usd;
  };
  EXPECT_EQ(cost_with(R"(,"usage":{})"), cost_with(""));
}

TEST_F(answers, the_first_answer_counts_and_another_one_is_told) {
  add(answer("first"));
  EXPECT_THAT(add(answer("first")), IsEmpty()) << "a file that was downloaded twice";
  EXPECT_THAT(add(answer("second")), HasSubstr("another answer to " + id));
  add(refusal(400));
  EXPECT_EQ(found(), "first");
}

TEST_F(answers, a_refusal_is_the_servers_until_there_is_an_answer) {
  EXPECT_THAT(add(refusal(400, "too long")), HasSubstr("too long"));
  EXPECT_THAT(found(), HasSubstr("too long"));
  EXPECT_EQ(std::get<failure>(subject.find(id, question()).value()).kind, failure_kind::refuse);
  EXPECT_THAT(add(answer("after all")), IsEmpty());
  EXPECT_EQ(found(), "after all");
}

TEST_F(answers, what_somebody_can_mend_waits_for_another_line) {
  const std::string expired =
    R"({"code":"batch_expired","message":"This request could not be executed in time."})";
  for (
    auto& broken :
    {refusal(429), refusal(500), refusal(401), refusal(404), line("null", expired), line("null"),
     line(R"({"status_code":200,"body":{}})"), line(R"({"status_code":200})"),
     line(R"({"status_code":200,"body":{"choices":[]}})"), line("7", "7"),
     line(R"({"status_code":-5,"body":[]})"),
     line(
       R"({"status_code":200,"body":{"choices":[{"message":{"contnet":"x"},"finish_reason":"stop"}]}})"),
     line(
       R"({"status_code":200,"body":{"choices":[{"message":{"content":["x"]},"finish_reason":"stop"}]}})")}) {
    EXPECT_THAT(add(broken), testing::AllOf(StartsWith(id + ": "), HasSubstr("another line")))
      << broken;
    EXPECT_EQ(found(), "nothing") << broken;
  }
  add(answer("at last"));
  EXPECT_EQ(found(), "at last");
}

TEST_F(answers, what_is_no_answer_at_all_is_told_and_has_no_id) {
  for (auto broken : {"", "{", "nonsense", "[]", "null", R"({"custom_id":""})", "{}\x01",
                      R"({"custom_id":["x"]})"}) {
    auto noted = subject.add(broken);
    EXPECT_THAT(noted.custom_id, IsEmpty()) << broken;
    EXPECT_THAT(noted.warning, testing::Not(IsEmpty())) << broken;
  }
}
