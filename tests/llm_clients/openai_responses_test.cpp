#include "tests/llm_clients/protocol_fixture.hpp"

using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::HasSubstr;
using testing::Not;

namespace {

model_config model() {
  auto result = priced_model();
  result.api = "responses";
  return result;
}

const std::string whole = R"({"id":"r","status":"completed","model":"x-1-b","error":null,
  "incomplete_details":null,"output":[{"type":"reasoning","summary":[]},{"type":"message",
  "content":[{"type":"output_text","text":"hi "},{"type":"output_text","text":"ä"}]}],
  "usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":400},"output_tokens":200,
  "output_tokens_details":{"reasoning_tokens":150}}})";

std::string with_status(const std::string& status) {
  auto result = whole;
  return result.replace(result.find("completed"), 9, status);
}

} // namespace

TEST(openai_responses, the_body_is_json_with_all_that_is_set) {
  auto x = model();
  x.temperature = 0.8;
  x.reasoning_effort = "low";
  EXPECT_EQ(protocol_of(x).make_request(x, question()).path, "/responses");
  body_of body{x, question()};
  EXPECT_EQ(body.at("/model"), "x-1");
  EXPECT_EQ(body.at("/instructions"), "be brief");
  EXPECT_EQ(body.at("/input"), "hello");
  EXPECT_EQ(body.at("/reasoning/effort"), "low");
  EXPECT_EQ(body["max_output_tokens"].get_int64().value(), 500);
  EXPECT_EQ(body["temperature"].get_double().value(), 0.8);
  EXPECT_TRUE(body["stream"].get_bool().value());
  EXPECT_FALSE(body["store"].get_bool().value());
  x.can.temperature = false;
  x.stream = false;
  x.reasoning_effort.clear();
  body_of less{x, question("", "hello")};
  for (auto key : {"temperature", "instructions", "stream", "reasoning"})
    EXPECT_THAT(less.text(), Not(HasSubstr(key)));
}

TEST(openai_responses, an_answer_is_read_with_its_cost) {
  auto x = answer_in(read(model(), whole));
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "x-1-b");
  EXPECT_EQ(x.finish, "stop");
  EXPECT_EQ(x.cost.reasoning_tokens, 150);
  EXPECT_DOUBLE_EQ(x.cost.usd, (600 * 1.0 + 400 * 0.1 + 200 * 10.0) / 1e6);
}

TEST(openai_responses, thoughts_that_are_shown_are_no_answer) {
  auto shown = whole; // as vLLM has them
  const std::string none = R"("type":"reasoning","summary":[])";
  shown.replace(shown.find(none), none.size(),
                none + R"(,"content":[{"type":"reasoning_text","text":"hm"}])");
  EXPECT_EQ(answer_in(read(model(), shown)).text, "hi ä");
}

TEST(openai_responses, what_was_put_into_a_cache_has_its_price) {
  auto written = whole;
  const std::string cached = R"("cached_tokens":400)";
  written.replace(written.find(cached), cached.size(), cached + R"(,"cache_write_tokens":100)");
  EXPECT_DOUBLE_EQ(answer_in(read(model(), written)).cost.usd,
                   (500 * 1.0 + 400 * 0.1 + 100 * 1.25 + 200 * 10.0) / 1e6);
}

TEST(openai_responses, an_answer_that_was_cut_says_why) {
  auto cut = with_status("incomplete");
  const std::string none = R"("incomplete_details":null)";
  cut.replace(cut.find(none), none.size(),
              R"("incomplete_details":{"reason":"max_output_tokens"})");
  EXPECT_EQ(answer_in(read(model(), cut)).finish, "length");
}

TEST(openai_responses, what_is_no_answer_is_a_failure) {
  auto failed = with_status("failed");
  failed.replace(failed.find("null"), 4, R"({"code":"server_error","message":"sorry"})");
  auto x = failure_in(read(model(), failed));
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_THAT(x.sentence, HasSubstr("sorry"));
  for (auto body : {"", "{}", "[]", R"({"status":"queued"})"})
    EXPECT_TRUE(failure_in(read(model(), body)).may_be_charged) << body;
}

TEST(openai_responses, a_stream_comes_to_its_answer) {
  const std::vector<std::string> begin = {
    R"({"type":"response.created","response":{"status":"in_progress"}})",
    R"({"type":"response.output_text.delta","delta":"hi "})",
    R"({"type":"response.reasoning_summary_text.delta","delta":"hm"})",
    R"({"type":"response.output_text.delta","delta":"ö"})",
  };
  auto events = begin;
  events.push_back(R"({"type":"response.completed","response":)" + whole + "}");
  auto x = answer_in(read_stream(model(), events));
  EXPECT_EQ(x.text, "hi ö");
  EXPECT_EQ(x.cost.output_tokens, 200);
  EXPECT_THAT(failure_in(read_stream(model(), begin)).sentence, HasSubstr("ends in the middle"));
  auto closed = events;
  closed.emplace_back("[DONE]");
  EXPECT_EQ(answer_in(read_stream(model(), closed)).text, "hi ö") << "as proxies end any stream";
  events = begin;
  events.push_back(R"({"type":"error","code":"rate_limit_exceeded","message":"slowly"})");
  auto y = failure_in(read_stream(model(), events));
  EXPECT_EQ(y.kind, failure_kind::retry);
  EXPECT_THAT(y.sentence, HasSubstr("HTTP 429"));
  EXPECT_THAT(y.sentence, HasSubstr("slowly"));
  EXPECT_TRUE(y.may_be_charged) << "it had begun";
  auto too_long = failure_in(read_stream(
    model(), {R"({"type":"error","code":"context_length_exceeded","message":"too long"})"}));
  EXPECT_EQ(too_long.kind, failure_kind::refuse);
  EXPECT_FALSE(too_long.may_be_charged);
}

TEST(openai_responses, a_conversation_is_told_in_turns) {
  body_of body{model(), conversation()};
  EXPECT_EQ(body.at("/instructions"), "be brief");
  EXPECT_EQ(body.at("/input/0/role"), "user");
  EXPECT_EQ(body.at("/input/0/content"), "hello");
  EXPECT_EQ(body.at("/input/1/role"), "assistant");
  EXPECT_EQ(body.at("/input/1/content"), "one, \"two\"");
  EXPECT_EQ(body.at("/input/2/role"), "user");
  EXPECT_EQ(body.at("/input/2/content"), "go on");
}
