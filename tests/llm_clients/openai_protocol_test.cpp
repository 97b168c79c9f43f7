#include "llm_clients/openai_protocol.hpp"

#include <gmock/gmock.h>
#include <simdjson.h>

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

namespace {

model_config model() {
  model_config result;
  result.name = "strong";
  result.model = "gpt-x";
  result.base_url = "http://localhost:8000/v1";
  result.max_output_tokens = 500;
  result.input_price = 1;
  result.cached_input_price = 0.1;
  result.output_price = 10;
  return result;
}

llm_request question(std::string system, std::string prompt) {
  llm_request result;
  result.system = std::move(system);
  result.prompt = std::move(prompt);
  return result;
}

reply parsed(unsigned status, std::string body, std::map<std::string, std::string> headers = {}) {
  return parse_response(model(), question("be brief", "hello"),
                        {status, std::move(headers), std::move(body)});
}

llm_answer answer_to(std::string body) {
  auto x = parsed(200, std::move(body));
  if (auto failed = std::get_if<failure>(&x))
    ADD_FAILURE() << failed->sentence;
  auto answer = std::get_if<llm_answer>(&x);
  return answer ? *answer : llm_answer{};
}

failure failure_to(unsigned status, std::string body,
                   std::map<std::string, std::string> headers = {}) {
  auto x = parsed(status, std::move(body), std::move(headers));
  auto failed = std::get_if<failure>(&x);
  EXPECT_TRUE(failed) << "an answer to status " << status;
  return failed ? *failed : failure{};
}

} // namespace

// -- request bodies -----------------------------------------------------------------------

TEST(openai_protocol, the_body_is_json_with_all_that_is_set) {
  auto x = model();
  x.temperature = 0.8;
  simdjson::dom::parser parser;
  auto body = make_body(x, question("be \"brief\"", "a\nb\xff"));
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(body).get(root), simdjson::SUCCESS) << body;
  EXPECT_EQ(root["model"].get_string().value(), "gpt-x");
  EXPECT_EQ(root["temperature"].get_double().value(), 0.8);
  EXPECT_EQ(root["max_tokens"].get_int64().value(), 500);
  EXPECT_EQ(root["messages"].at(0)["role"].get_string().value(), "system");
  EXPECT_EQ(root["messages"].at(0)["content"].get_string().value(), "be \"brief\"");
  EXPECT_EQ(root["messages"].at(1)["role"].get_string().value(), "user");
  EXPECT_EQ(root["messages"].at(1)["content"].get_string().value(), "a\nb\xEF\xBF\xBD");
}

TEST(openai_protocol, what_is_not_set_is_left_out) {
  auto body = make_body(model(), question("", "hello"));
  EXPECT_THAT(body, Not(HasSubstr("temperature")));
  EXPECT_THAT(body, Not(HasSubstr("system")));
}

TEST(openai_protocol, openai_itself_wants_another_name_for_the_limit) {
  auto x = model();
  x.base_url = "https://api.openai.com/v1";
  EXPECT_THAT(make_body(x, question("", "hello")), HasSubstr("\"max_completion_tokens\":500"));
}

// -- answers ------------------------------------------------------------------------------

TEST(openai_protocol, an_answer_is_read_with_its_cost) {
  auto x = answer_to(R"({"model":"gpt-x-1","choices":[{"message":{"content":"hi ä"},
    "finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,
    "prompt_tokens_details":{"cached_tokens":400}}})");
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "gpt-x-1");
  EXPECT_EQ(x.finish, "stop");
  EXPECT_EQ(x.cost.queries, 1);
  EXPECT_EQ(x.cost.input_tokens, 1000);
  EXPECT_EQ(x.cost.cached_input_tokens, 400);
  EXPECT_EQ(x.cost.output_tokens, 200);
  EXPECT_DOUBLE_EQ(x.cost.usd, (600 * 1.0 + 400 * 0.1 + 200 * 10.0) / 1e6);
}

TEST(openai_protocol, without_usage_the_bound_is_charged) {
  auto x = answer_to(R"({"choices":[{"message":{"content":"hello"}}],"usage":null})");
  EXPECT_GE(x.cost.input_tokens, 13);
  EXPECT_EQ(x.cost.output_tokens, 5);
  EXPECT_GT(x.cost.usd, 0);
  EXPECT_EQ(x.model, "gpt-x");
}

TEST(openai_protocol, an_empty_content_has_been_paid_for_and_is_an_answer) {
  auto x = answer_to(R"({"choices":[{"message":{"content":null},"finish_reason":"length"}],
    "usage":{"prompt_tokens":10,"completion_tokens":500}})");
  EXPECT_EQ(x.text, "");
  EXPECT_EQ(x.finish, "length");
  EXPECT_EQ(x.cost.output_tokens, 500);
}

TEST(openai_protocol, a_refusal_in_words_is_the_answer) {
  EXPECT_EQ(answer_to(R"({"choices":[{"message":{"content":null,"refusal":"No."}}]})").text, "No.");
}

TEST(openai_protocol, odd_usage_does_no_harm) {
  auto x = answer_to(R"({"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":-5,
    "completion_tokens":"many","prompt_tokens_details":{"cached_tokens":99}}})");
  EXPECT_EQ(x.cost.input_tokens, 0);
  EXPECT_EQ(x.cost.cached_input_tokens, 0);
  EXPECT_EQ(x.cost.usd, 0);
}

// -- failures -----------------------------------------------------------------------------

TEST(openai_protocol, every_status_has_its_meaning) {
  using enum failure_kind;
  const std::map<unsigned, failure_kind> expected = {
    {301, fail},  {400, refuse}, {401, fail},   {402, fail},   {403, fail},
    {404, fail},  {408, retry},  {413, refuse}, {422, refuse}, {429, retry},
    {500, retry}, {502, retry},  {503, retry},  {529, retry}};
  for (auto [status, kind] : expected) {
    auto x = failure_to(status, R"({"error":{"message":"because"}})");
    EXPECT_EQ(x.kind, kind) << status;
    EXPECT_FALSE(x.may_be_charged) << status;
    EXPECT_THAT(x.sentence, HasSubstr("(HTTP " + std::to_string(status) + "): because"));
    EXPECT_THAT(x.sentence, HasSubstr("'strong'"));
  }
}

TEST(openai_protocol, some_codes_say_more_than_their_status) {
  EXPECT_EQ(failure_to(429, R"({"error":{"message":"x","code":"insufficient_quota"}})").kind,
            failure_kind::fail);
  EXPECT_EQ(failure_to(400, R"({"error":{"message":"x","code":"model_not_found"}})").kind,
            failure_kind::fail);
}

TEST(openai_protocol, complaints_are_found_in_many_shapes) {
  for (auto body : {R"({"error":"because"})", R"({"message":"because"})", R"({"detail":"because"})",
                    R"({"error":{"message":"because","code":7}})", "because"})
    EXPECT_THAT(failure_to(400, body).sentence, HasSubstr(": because")) << body;
}

TEST(openai_protocol, a_long_complaint_is_cut_between_characters) {
  auto x = failure_to(400, "a" + std::string(1'000, 'b') + std::string("ääääääääääääääääääääää"));
  EXPECT_LT(x.sentence.size(), 1'200u);
  EXPECT_TRUE(simdjson::validate_utf8(x.sentence));
}

TEST(openai_protocol, a_complaint_is_one_line) {
  auto x = failure_to(500, R"({"error":{"message":"\n no\n\n\tconnection "}})");
  EXPECT_THAT(x.sentence, EndsWith("(HTTP 500): no connection "));
}

TEST(openai_protocol, html_is_called_html) {
  auto gateway = failure_to(502, "<html><body>Bad gateway</body></html>");
  EXPECT_EQ(gateway.kind, failure_kind::retry);
  EXPECT_THAT(gateway.sentence, HasSubstr("HTML page"));
  EXPECT_THAT(gateway.sentence, Not(HasSubstr("<body>")));
  EXPECT_THAT(failure_to(200, "\n<!DOCTYPE html>").sentence, HasSubstr("HTML page"));
}

TEST(openai_protocol, nonsense_in_a_good_response_may_have_been_charged) {
  for (auto body : {"", "{", "[]", "{}", R"({"choices":[]})", R"({"choices":[{}]})", "null", "7"}) {
    auto x = failure_to(200, body);
    EXPECT_EQ(x.kind, failure_kind::retry) << body;
    EXPECT_TRUE(x.may_be_charged) << body;
  }
}

TEST(openai_protocol, an_error_inside_a_good_response_is_an_error) {
  auto x = failure_to(200, R"({"error":{"message":"too many","code":429}})");
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_THAT(x.sentence, HasSubstr("HTTP 429"));
  EXPECT_EQ(failure_to(200, R"({"error":{"message":"key","code":401}})").kind, failure_kind::fail);
}

// -- Retry-After ----------------------------------------------------------------------------

TEST(openai_protocol, a_server_may_ask_for_time_in_three_ways) {
  EXPECT_EQ(retry_after({}, 0), 0ms);
  EXPECT_EQ(retry_after({{"retry-after", "2"}}, 0), 2s);
  EXPECT_EQ(retry_after({{"retry-after", "0.5"}}, 0), 500ms);
  EXPECT_EQ(retry_after({{"retry-after-ms", "70"}, {"retry-after", "2"}}, 0), 70ms);
  EXPECT_EQ(retry_after({{"retry-after", "Thu, 01 Jan 1970 00:01:00 GMT"}}, 20), 40s);
  EXPECT_EQ(failure_to(429, "{}", {{"retry-after", "3"}}).retry_after, 3s);
}

TEST(openai_protocol, what_makes_no_sense_is_no_time) {
  for (auto text : {"", "soon", "-5", "nan", "Thu, 01 Jan 1970 00:00:10 GMT"})
    EXPECT_EQ(retry_after({{"retry-after", text}}, 20), 0ms) << text;
  EXPECT_LE(retry_after({{"retry-after", "1e300"}}, 0), 1'000'000s);
}
