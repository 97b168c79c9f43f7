#include "llm_clients/price.hpp"
#include "tests/llm_clients/protocol_fixture.hpp"

using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::HasSubstr;
using testing::Not;

namespace {

reply streamed(const std::vector<std::string>& events) {
  return read_stream(priced_model(), events);
}

} // namespace

// -- requests -----------------------------------------------------------------------------

TEST(openai_chat, the_body_is_json_with_all_that_is_set) {
  auto x = priced_model();
  x.temperature = 0.8;
  x.reasoning_effort = "high";
  body_of body{x, question("be \"brief\"", "a\nb\xff")};
  EXPECT_EQ(body.at("/model"), "x-1");
  EXPECT_EQ(body["temperature"].get_double().value(), 0.8);
  EXPECT_EQ(body["max_tokens"].get_int64().value(), 500);
  EXPECT_EQ(body.at("/reasoning_effort"), "high");
  EXPECT_TRUE(body["stream"].get_bool().value());
  EXPECT_TRUE(body["stream_options"]["include_usage"].get_bool().value());
  EXPECT_EQ(body.at("/messages/0/role"), "system");
  EXPECT_EQ(body.at("/messages/0/content"), "be \"brief\"");
  EXPECT_EQ(body.at("/messages/1/role"), "user");
  EXPECT_EQ(body.at("/messages/1/content"), "a\nb\xEF\xBF\xBD");
}

TEST(openai_chat, what_is_not_set_is_left_out) {
  auto x = priced_model();
  x.stream = false;
  body_of body{x, question("", "hello")};
  for (auto key : {"temperature", "system", "stream", "reasoning"})
    EXPECT_THAT(body.text(), Not(HasSubstr(key)));
}

TEST(openai_chat, a_server_is_asked_for_what_it_can) {
  auto x = priced_model();
  x.temperature = 0.8;
  x.can = {.temperature = false,
           .streamed_usage = false,
           .output_limit = "max_completion_tokens",
           .system_role = "developer"};
  body_of body{x, question()};
  EXPECT_THAT(body.text(), Not(HasSubstr("temperature")));
  EXPECT_THAT(body.text(), Not(HasSubstr("stream_options")));
  EXPECT_EQ(body["max_completion_tokens"].get_int64().value(), 500);
  EXPECT_EQ(body.at("/messages/0/role"), "developer");
  x.can.system_role = "user";
  body_of alone{x, question()};
  EXPECT_EQ(alone.at("/messages/0/role"), "user");
  EXPECT_EQ(alone.at("/messages/0/content"), "be brief\n\nhello");
  EXPECT_EQ(alone.at("/messages/1/role"), "nothing");
}

// -- whole responses ------------------------------------------------------------------------

TEST(openai_chat, an_answer_is_read_with_its_cost) {
  auto x =
    answer_in(read(priced_model(), R"({"model":"x-1-b","choices":[{"message":{"content":"hi ä"},
    "finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,
    "prompt_tokens_details":{"cached_tokens":400},
    "completion_tokens_details":{"reasoning_tokens":150}}})"));
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "x-1-b");
  EXPECT_EQ(x.finish, "stop");
  EXPECT_EQ(x.cost.queries, 1);
  EXPECT_EQ(x.cost.input_tokens, 1000);
  EXPECT_EQ(x.cost.cached_input_tokens, 400);
  EXPECT_EQ(x.cost.output_tokens, 200);
  EXPECT_EQ(x.cost.reasoning_tokens, 150);
  EXPECT_DOUBLE_EQ(x.cost.usd, (600 * 1.0 + 400 * 0.1 + 200 * 10.0) / 1e6);
}

TEST(openai_chat, without_usage_the_bound_is_charged) {
  const auto* body = R"({"choices":[{"message":{"content":"hello"}}],"usage":null})";
  auto x = answer_in(read(priced_model(), body));
  EXPECT_GE(x.cost.input_tokens, 13);
  EXPECT_EQ(x.cost.output_tokens, 5);
  EXPECT_GT(x.cost.usd, 0);
  EXPECT_EQ(x.model, "x-1");
  auto thinks = priced_model();
  thinks.reasoning_effort = "high";
  EXPECT_EQ(answer_in(read(thinks, body)).cost.output_tokens, 500) << "what it thought is unseen";
}

TEST(openai_chat, an_empty_content_has_been_paid_for_and_is_an_answer) {
  auto x = answer_in(
    read(priced_model(), R"({"choices":[{"message":{"content":null},"finish_reason":"length"}],
    "usage":{"prompt_tokens":10,"completion_tokens":500}})"));
  EXPECT_EQ(x.text, "");
  EXPECT_EQ(x.finish, "length");
  EXPECT_EQ(x.cost.output_tokens, 500);
}

TEST(openai_chat, a_refusal_in_words_is_the_answer) {
  const auto* body = R"({"choices":[{"message":{"content":null,"refusal":"No."}}]})";
  EXPECT_EQ(answer_in(read(priced_model(), body)).text, "No.");
}

TEST(openai_chat, with_odd_usage_the_bound_is_charged) {
  auto x = answer_in(
    read(priced_model(), R"({"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":-5,
    "completion_tokens":"many","prompt_tokens_details":{"cached_tokens":99},
    "completion_tokens_details":{"reasoning_tokens":9}}})"));
  EXPECT_EQ(x.cost.input_tokens, input_token_bound(question()));
  EXPECT_EQ(x.cost.cached_input_tokens, 0);
  EXPECT_EQ(x.cost.output_tokens, 10) << "the thoughts that it counted, and a token a byte";
}

TEST(openai_chat, nonsense_in_a_good_response_may_have_been_charged) {
  for (auto body : {"", "{", "[]", "{}", R"({"choices":[]})", R"({"choices":[{}]})", "null", "7"}) {
    auto x = failure_in(read(priced_model(), body));
    EXPECT_EQ(x.kind, failure_kind::retry) << body;
    EXPECT_TRUE(x.may_be_charged) << body;
  }
}

TEST(openai_chat, an_error_inside_a_good_response_is_an_error) {
  auto x = failure_in(read(priced_model(), R"({"error":{"message":"too many","code":429}})"));
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_THAT(x.sentence, HasSubstr("HTTP 429"));
  EXPECT_EQ(failure_in(read(priced_model(), R"({"error":{"message":"key","code":401}})")).kind,
            failure_kind::fail);
}

// -- streams --------------------------------------------------------------------------------

TEST(openai_chat, a_stream_comes_to_its_answer) {
  auto x = answer_in(streamed({
    R"({"model":"x-1-b","choices":[{"delta":{"role":"assistant","content":""}}]})",
    R"({"model":"x-1-b","choices":[{"delta":{"reasoning_content":"hm"}}]})",
    R"({"model":"x-1-b","choices":[{"delta":{"content":"hi "}}],"usage":null})",
    R"({"model":"x-1-b","choices":[{"delta":{"content":"ä"}}]})",
    R"({"model":"x-1-b","choices":[{"delta":{},"finish_reason":"length"}]})",
    R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}})",
    "[DONE]",
  }));
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "x-1-b");
  EXPECT_EQ(x.finish, "length");
  EXPECT_EQ(x.cost.input_tokens, 10);
  EXPECT_EQ(x.cost.output_tokens, 2);
}

TEST(openai_chat, a_reason_to_finish_is_an_end_and_silence_is_none) {
  const std::string part = R"({"choices":[{"delta":{"content":"hi"}}]})";
  const std::string end = R"({"choices":[{"delta":{},"finish_reason":"stop"}]})";
  EXPECT_EQ(answer_in(streamed({part, end})).text, "hi");
  auto x = failure_in(streamed({part}));
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_TRUE(x.may_be_charged);
  EXPECT_THAT(x.sentence, HasSubstr("ends in the middle, after 2 bytes"));
}

TEST(openai_chat, a_stream_may_turn_into_an_error) {
  auto x = failure_in(streamed({R"({"choices":[{"delta":{"content":"hi"}}]})",
                                R"({"error":{"message":"overloaded","code":503}})"}));
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_THAT(x.sentence, HasSubstr("overloaded"));
  EXPECT_THAT(failure_in(streamed({"{"})).sentence, HasSubstr("not JSON: {"));
}

TEST(openai_chat, a_conversation_is_told_in_turns) {
  body_of body{priced_model(), conversation()};
  EXPECT_EQ(body.at("/messages/1/content"), "hello");
  EXPECT_EQ(body.at("/messages/2/role"), "assistant");
  EXPECT_EQ(body.at("/messages/2/content"), "one, \"two\"");
  EXPECT_EQ(body.at("/messages/3/role"), "user");
  EXPECT_EQ(body.at("/messages/3/content"), "go on");
}
