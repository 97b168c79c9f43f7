#include "tests/llm_clients/protocol_fixture.hpp"

using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::HasSubstr;
using testing::Not;

namespace {

model_config model() {
  return priced_model(provider_kind::anthropic);
}

} // namespace

TEST(anthropic_messages, the_request_has_what_is_set) {
  auto x = model();
  x.temperature = 0.8;
  auto request = protocol_of(x).make_request(x, question());
  EXPECT_EQ(request.path, "/messages");
  EXPECT_EQ(request.key_header, "x-api-key");
  EXPECT_EQ(request.headers.at("anthropic-version"), "2023-06-01");
  body_of body{x, question()};
  EXPECT_EQ(body.at("/model"), "x-1");
  EXPECT_EQ(body.at("/system/0/text"), "be brief");
  EXPECT_EQ(body.at("/messages/0/content"), "hello");
  EXPECT_EQ(body["max_tokens"].get_int64().value(), 500);
  EXPECT_EQ(body["temperature"].get_double().value(), 0.8);
  EXPECT_TRUE(body["stream"].get_bool().value());
  EXPECT_THAT(body.text(), Not(HasSubstr("cache_control")));
  EXPECT_THAT(body_of(x, question("", "a")).text(), Not(HasSubstr("system")));
}

TEST(anthropic_messages, what_agents_say_again_is_marked_for_the_cache) {
  auto x = model();
  x.can.cache_marks = true;
  EXPECT_EQ(body_of(x, question()).at("/system/0/cache_control/type"), "ephemeral");
}

TEST(anthropic_messages, who_thinks_gets_no_temperature) {
  auto x = model();
  x.temperature = 0.8;
  x.thinking_tokens = 300;
  body_of body{x, question()};
  EXPECT_EQ(body.at("/thinking/type"), "enabled");
  EXPECT_EQ(body["thinking"]["budget_tokens"].get_int64().value(), 300);
  EXPECT_THAT(body.text(), Not(HasSubstr("temperature")));
}

TEST(anthropic_messages, an_answer_is_read_with_its_cost) {
  auto x = answer_in(read(model(), R"({"type":"message","model":"x-1-b","content":[
    {"type":"thinking","thinking":"hm"},{"type":"text","text":"hi "},{"type":"text","text":"ä"}],
    "stop_reason":"end_turn","usage":{"input_tokens":100,"cache_creation_input_tokens":300,
    "cache_read_input_tokens":600,"output_tokens":200}})"));
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "x-1-b");
  EXPECT_EQ(x.finish, "stop");
  EXPECT_EQ(x.cost.input_tokens, 1000);
  EXPECT_EQ(x.cost.cached_input_tokens, 600);
  EXPECT_DOUBLE_EQ(x.cost.usd, (100 * 1.0 + 300 * 1.25 + 600 * 0.1 + 200 * 10.0) / 1e6);
}

TEST(anthropic_messages, errors_have_their_meaning) {
  using enum failure_kind;
  const std::vector<std::tuple<unsigned, std::string, failure_kind>> expected = {
    {401, "authentication_error", fail},    {403, "permission_error", fail},
    {404, "not_found_error", fail},         {429, "rate_limit_error", retry},
    {400, "invalid_request_error", refuse}, {500, "api_error", retry},
    {529, "overloaded_error", retry},       {200, "overloaded_error", retry}};
  for (auto& [status, type, kind] : expected) {
    auto body = R"({"type":"error","error":{"type":")" + type + R"(","message":"because"}})";
    auto x = failure_in(read(model(), body, status));
    EXPECT_EQ(x.kind, kind) << type;
    EXPECT_THAT(x.sentence, HasSubstr("because"));
  }
  for (auto body : {"", "{}", "[]"})
    EXPECT_TRUE(failure_in(read(model(), body)).may_be_charged) << body;
}

TEST(anthropic_messages, a_stream_comes_to_its_answer) {
  const std::vector<std::string> begin = {
    R"({"type":"message_start","message":{"model":"x-1-b","usage":{"input_tokens":100,
      "cache_creation_input_tokens":0,"cache_read_input_tokens":600,"output_tokens":1}}})",
    R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking"}})",
    R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}})",
    R"({"type":"ping"})",
    R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"hi "}})",
    R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"ä"}})",
    R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":77}})",
  };
  auto events = begin;
  events.emplace_back(R"({"type":"message_stop"})");
  auto x = answer_in(read_stream(model(), events));
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "x-1-b");
  EXPECT_EQ(x.finish, "length");
  EXPECT_EQ(x.cost.input_tokens, 700);
  EXPECT_EQ(x.cost.cached_input_tokens, 600);
  EXPECT_EQ(x.cost.output_tokens, 77);
  EXPECT_THAT(failure_in(read_stream(model(), begin)).sentence, HasSubstr("ends in the middle"));
  partial_answer stopped;
  for (const auto& data : {begin[0], begin[4]})
    EXPECT_FALSE(read_event(protocol_of(model()), model(), {{}, data}, stopped));
  auto heard = read_stopped_stream(model(), question(), std::move(stopped));
  EXPECT_EQ(heard.cost.input_tokens, 700);
  EXPECT_EQ(heard.cost.output_tokens, 3) << "the bound, and not what was said at the start";
  events = begin;
  events.emplace_back(R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})");
  auto y = failure_in(read_stream(model(), events));
  EXPECT_EQ(y.kind, failure_kind::retry);
  EXPECT_THAT(y.sentence, HasSubstr("HTTP 529): busy"));
}

TEST(anthropic_messages, what_a_stream_says_of_its_output_at_the_start_is_no_count) {
  const std::string text(300, 'x');
  for (auto end : {R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})",
                   R"({"type":"message_delta","delta":{},"usage":{}})",
                   R"({"type":"message_delta","delta":{},"usage":{"output_tokens":null}})"}) {
    auto x = answer_in(read_stream(
      model(),
      {R"({"type":"message_start","message":{"usage":{"input_tokens":100,"output_tokens":1}}})",
       R"({"type":"content_block_delta","delta":{"type":"text_delta","text":")" + text + "\"}}",
       end, R"({"type":"message_stop"})"}));
    EXPECT_EQ(x.cost.output_tokens, 300) << end;
    EXPECT_GE(x.cost.input_tokens, 100) << end;
  }
}

TEST(anthropic_messages, a_conversation_is_told_in_turns_and_ends_with_the_users) {
  body_of body{priced_model(provider_kind::anthropic), conversation()};
  EXPECT_EQ(body.at("/messages/0/content"), "hello");
  EXPECT_EQ(body.at("/messages/1/role"), "assistant");
  EXPECT_EQ(body.at("/messages/1/content"), "one, \"two\"");
  EXPECT_EQ(body.at("/messages/2/role"), "user");
  EXPECT_EQ(body.at("/messages/2/content"), "go on");
}

TEST(anthropic_messages, no_count_of_tokens_is_too_large_to_add) {
  auto x = answer_in(read(priced_model(provider_kind::anthropic),
                          R"({"content":[],"usage":{"input_tokens":9223372036854775807,)"
                          R"("cache_read_input_tokens":9223372036854775807,"output_tokens":0}})"));
  EXPECT_EQ(x.cost.input_tokens, 1'000'000'000'000'000) << "what a journal takes";
  EXPECT_EQ(x.cost.output_tokens, 0);
}
