#include "tests/llm_clients/protocol_fixture.hpp"

using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::HasSubstr;
using testing::Not;

namespace {

model_config model() {
  return priced_model(provider_kind::gemini);
}

} // namespace

TEST(gemini_content, the_request_has_what_is_set) {
  auto x = model();
  x.model = "models/x 1";
  x.temperature = 0.8;
  x.thinking_tokens = 300;
  auto request = protocol_of(x).make_request(x, question());
  EXPECT_EQ(request.path, "/models/models%2Fx%201:streamGenerateContent?alt=sse");
  EXPECT_EQ(request.key_header, "x-goog-api-key");
  body_of body{x, question()};
  EXPECT_EQ(body.at("/systemInstruction/parts/0/text"), "be brief");
  EXPECT_EQ(body.at("/contents/0/parts/0/text"), "hello");
  auto settings = body["generationConfig"];
  EXPECT_EQ(settings["maxOutputTokens"].get_int64().value(), 500);
  EXPECT_EQ(settings["temperature"].get_double().value(), 0.8);
  EXPECT_EQ(settings["thinkingConfig"]["thinkingBudget"].get_int64().value(), 300);
  x.stream = false;
  EXPECT_THAT(protocol_of(x).make_request(x, question()).path, HasSubstr(":generateContent"));
  EXPECT_THAT(body_of(model(), question("", "a")).text(), Not(HasSubstr("system")));
}

TEST(gemini_content, how_much_it_thinks_is_a_budget_or_a_level) {
  auto x = model();
  EXPECT_THAT(body_of(x, question()).text(), Not(HasSubstr("thinkingConfig")));
  for (auto budget : {0, -1}) { // none, and as many as it likes
    x.thinking_tokens = budget;
    body_of body{x, question()};
    auto said = body["generationConfig"]["thinkingConfig"];
    EXPECT_EQ(said["thinkingBudget"].get_int64().value(), budget);
    EXPECT_THAT(body.text(), Not(HasSubstr("thinkingLevel")));
  }
  x.thinking_tokens.reset();
  x.reasoning_effort = "low";
  body_of body{x, question()};
  EXPECT_EQ(body.at("/generationConfig/thinkingConfig/thinkingLevel"), "low");
  EXPECT_THAT(body.text(), Not(HasSubstr("thinkingBudget")));
}

TEST(gemini_content, an_answer_is_read_with_its_cost) {
  auto x = answer_in(read(model(), R"({"candidates":[{"content":{"parts":[
    {"text":"hm","thought":true},{"text":"hi "},{"text":"ä"}]},"finishReason":"STOP"}],
    "modelVersion":"x-1-b","usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":400,
    "candidatesTokenCount":50,"thoughtsTokenCount":150}})"));
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "x-1-b");
  EXPECT_EQ(x.finish, "stop");
  EXPECT_EQ(x.cost.output_tokens, 200);
  EXPECT_EQ(x.cost.reasoning_tokens, 150);
  EXPECT_DOUBLE_EQ(x.cost.usd, (600 * 1.0 + 400 * 0.1 + 200 * 10.0) / 1e6);
}

TEST(gemini_content, a_prompt_that_it_does_not_like_has_an_empty_answer) {
  auto x = answer_in(read(model(), R"({"promptFeedback":{"blockReason":"SAFETY"},
    "usageMetadata":{"promptTokenCount":10}})"));
  EXPECT_EQ(x.text, "");
  EXPECT_EQ(x.finish, "safety");
}

TEST(gemini_content, a_count_that_is_left_out_is_nothing_where_there_is_no_text) {
  const std::string thought = R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]},
    "finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":10,)";
  for (auto more : {R"("thoughtsTokenCount":150}})", R"("totalTokenCount":160}})",
                    R"("thoughtsTokenCount":150,"totalTokenCount":160}})"}) {
    auto x = answer_in(read(model(), thought + more)).cost;
    EXPECT_EQ(x.input_tokens, 10) << more;
    EXPECT_EQ(x.output_tokens, 150) << more;
  }
  auto blocked = answer_in(read(model(), R"({"promptFeedback":{"blockReason":"SAFETY"},
    "usageMetadata":{"promptTokenCount":10,"totalTokenCount":10}})"));
  EXPECT_DOUBLE_EQ(blocked.cost.usd, 10e-6);
}

TEST(gemini_content, errors_have_their_meaning) {
  auto wrong_key = R"({"error":{"code":400,"message":"API key not valid.",
    "status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}})";
  auto x = failure_in(read(model(), wrong_key, 400));
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_THAT(x.sentence, HasSubstr("does not accept the key"));
  auto body = R"([{"error":{"code":429,"message":"slowly","status":"RESOURCE_EXHAUSTED"}}])";
  auto y = failure_in(read(model(), body, 429));
  EXPECT_EQ(y.kind, failure_kind::retry);
  EXPECT_THAT(y.sentence, HasSubstr(": slowly"));
  EXPECT_EQ(failure_in(read(model(), R"({"error":{"code":400,"message":"no"}})", 400)).kind,
            failure_kind::refuse);
  for (auto odd : {"", "{}", "[]", R"({"candidates":[]})"})
    EXPECT_TRUE(failure_in(read(model(), odd)).may_be_charged) << odd;
}

TEST(gemini_content, a_stream_comes_to_its_answer) {
  const std::vector<std::string> begin = {
    R"({"candidates":[{"content":{"parts":[{"text":"hi "}]}}],"modelVersion":"x-1-b",
      "usageMetadata":{"promptTokenCount":10}})",
    R"({"candidates":[{"content":{"parts":[{"text":"ä"}]}}]})",
  };
  auto events = begin;
  events.emplace_back(R"({"candidates":[{"content":{"parts":[{"text":"!"}]},
    "finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":10,
    "candidatesTokenCount":3}})");
  auto x = answer_in(read_stream(model(), events));
  EXPECT_EQ(x.text, "hi ä!");
  EXPECT_EQ(x.finish, "length");
  EXPECT_EQ(x.cost.output_tokens, 3);
  EXPECT_THAT(failure_in(read_stream(model(), begin)).sentence, HasSubstr("ends in the middle"));
  EXPECT_EQ(failure_in(read_stream(model(), {R"({"error":{"code":503,"message":"busy"}})"})).kind,
            failure_kind::retry);
}

TEST(gemini_content, a_conversation_is_told_in_turns) {
  body_of body{priced_model(provider_kind::gemini), conversation()};
  EXPECT_EQ(body.at("/contents/0/parts/0/text"), "hello");
  EXPECT_EQ(body.at("/contents/1/role"), "model");
  EXPECT_EQ(body.at("/contents/1/parts/0/text"), "one, \"two\"");
  EXPECT_EQ(body.at("/contents/2/role"), "user");
  EXPECT_EQ(body.at("/contents/2/parts/0/text"), "go on");
}
